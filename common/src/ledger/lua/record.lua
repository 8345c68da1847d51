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

local before = redis.call('HMGET', keys.delivery, 'status', 'claimant', 'reason', 'unrecorded')
local status, last_reason, unrecorded = before[1], before[3], before[4] == '1'
if not status then
    return news
end
if outcome.status == 'sent' then
    redis.call('HSET', keys.delivery, 'provider_id', outcome.provider_id)
    if delivery.may_move(status, last_reason, 'sent') then
        redis.call('HSET', keys.delivery, 'status', 'sent', 'claimed_until', 0)
        redis.call('HDEL', keys.delivery, 'reason')
    end
    return news
end

-- Whose claim ran out has no say in what comes next, nor has a try that a callback already knows to
-- be sent.
if status ~= 'sending' or before[2] ~= call.claimant then
    return news
end
if outcome.status == 'queued' then
    redis.call('HSET', keys.delivery, 'status', 'queued', 'claimed_until', 0,
        'reason', outcome.reason)
    if outcome.exclude then
        local excluded = redis.call('HGET', keys.delivery, 'excluded')
        redis.call('HSET', keys.delivery, 'excluded',
            (excluded and excluded .. ' ' or '') .. outcome.provider)
    end
    local at = outcome.retry_at > now and outcome.retry_at
    delivery.enqueue_next(keys.delivery, at, call.next_job_id, call.next_job)
    return news
end
local ended_as, reason = delivery.end_of(outcome.status, outcome.reason, unrecorded, last_reason)
delivery.finish(keys.delivery, ended_as, reason)
local provider = outcome.reason ~= 'code_unreadable' and outcome.provider
delivery.bury(call.delivery_id, keys.delivery, ended_as, reason, provider, outcome.provider_code,
    now)
if outcome.surely_not_sent and not unrecorded then
    -- Anybody can name numbers that a provider refuses, from however many addresses. So the bucket
    -- of all sends keeps those.
    delivery.undo_send(keys.delivery, outcome.blames_number and 'all')
end
return news
