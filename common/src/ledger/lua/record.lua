-- Records what came of a try: of the delivery, and of the provider's breaker. Answers what the
-- breaker did, or "".
local now, outcome = call.now, call.outcome

local breaker_key, news = settings.breaker_prefix .. outcome.provider, ''
if outcome.provider_state == 'works' then
    news = breaker.succeeded(breaker_key)
elseif outcome.provider_state then
    local misconfigured = outcome.provider_state == 'misconfigured'
    news = breaker.failed(breaker_key, now, misconfigured, outcome.retry_after or 0)
else
    breaker.release(breaker_key)
end

local sms = delivery.load(keys.delivery)
if not sms then
    return news
end
if outcome.status == 'sent' then
    sms[D.provider_id] = outcome.provider_id
    if delivery.may_move(sms, 'sent') then
        -- A report may have come before.
        if sms[D.status] ~= 'sent' then
            happened.to_sms(now, call.delivery_id, sms, 'sent', outcome.provider)
        end
        sms[D.status], sms[D.reason], sms[D.claimed_until] = 'sent', false, false
    end
    delivery.save(keys.delivery, sms)
    return news
end

-- Whose claim ran out has no say in what comes next, nor has a try that a callback already knows to
-- be sent.
if sms[D.status] ~= 'sending' or sms[D.claimant] ~= call.claimant then
    return news
end
if outcome.status == 'queued' then
    sms[D.status], sms[D.reason], sms[D.claimed_until] = 'queued', outcome.reason, false
    if outcome.exclude then
        local excluded = sms[D.excluded]
        sms[D.excluded] = (excluded and excluded .. ' ' or '') .. outcome.provider
    end
    happened.to_sms(now, call.delivery_id, sms, 'attempt_failed', outcome.provider, outcome.reason)
    local at = outcome.retry_at > now and outcome.retry_at
    unsent.put_off(keys.delivery, sms, at, call.next_job_id, call.next_job)
    return news
end
if outcome.provider_state and outcome.provider_state ~= 'works' then
    happened.last_attempt_failed(now, sms, outcome.provider)
end
local provider = outcome.reason ~= 'code_unreadable' and outcome.provider
unsent.finish(call.delivery_id, keys.delivery, sms, outcome.status, outcome.reason, provider,
    outcome.provider_code, now)
if outcome.surely_not_sent and not sms[D.unrecorded] then
    -- Anybody can name numbers that a provider refuses, from however many addresses. So the bucket
    -- of all sends keeps those.
    unsent.undo_send(call.delivery_id, keys.delivery, sms, outcome.blames_number and 'all')
end
return news
