-- Claims one try of a delivery, so that a job that runs in two places sends once, and picks the
-- provider for it. Answers "send" with the try, "drop" for an SMS that nobody wants any more,
-- "wait" where the job has been put off, "ended" after the end, or where another job has taken
-- over.
local now = call.now

local sms = delivery.load(keys.delivery)
if not sms then
    return { outcome = 'drop', reason = 'gone' }
end
local status, challenge_id = sms[D.status], sms[D.challenge]
local claimed_before, excluded = sms[D.claimed_until] or 0, sms[D.excluded] or ''
-- Who asks again has lost the answer to its claim, or got it too late, and has not sent.
local ours = status == 'sending' and sms[D.claimant] == call.claimant

local function put_off(at, why)
    if ours then
        sms[D.status], sms[D.claimed_until] = 'queued', false
    end
    unsent.put_off(keys.delivery, sms, math.floor(at), call.next_job_id, call.next_job)
    return { outcome = 'wait', why = why }
end

if status ~= 'queued' and status ~= 'sending' then
    return { outcome = 'ended' }
elseif ours then
    breaker.release(settings.breaker_prefix .. sms[D.provider])
elseif (sms[D.job] or '') ~= call.job_id then
    -- A delivery has one job that counts: this one is left over from a worker that was lost, or
    -- whose answer was.
    return { outcome = 'ended' }
elseif claimed_before > now then
    -- By then the other try is recorded, or its worker is dead.
    return put_off(claimed_before, 'claimed elsewhere')
elseif status == 'sending' then
    sms[D.unrecorded] = true
end

local function finish_unsent(as, why)
    local reason = unsent.finish(call.delivery_id, keys.delivery, sms, as, why, sms[D.provider],
        nil, now)
    -- Who asks again before the SMS is sent gets one SMS for two sends: else a burst could ask more
    -- often than is allowed.
    if not sms[D.unrecorded] and reason ~= 'replaced' then
        unsent.undo_send(call.delivery_id, keys.delivery, sms)
    end
    return { outcome = 'drop', reason = reason }
end

-- An SMS with a code lives as long as its challenge, one without has an expiry of its own.
local challenge
if challenge_id then
    local record = number.load(settings.number_prefix .. sms[D.number])
    challenge = record[N.challenges][sms[D.purpose]]
    if not challenge then
        return finish_unsent('dropped', 'expired')
    elseif challenge[C.id] ~= challenge_id then
        return finish_unsent('dropped', 'replaced')
    elseif challenge[C.used] then
        return finish_unsent('dropped', 'verified')
    end
end
local expires_at = challenge and challenge[C.expires_at] or sms[D.expires_at]
if expires_at - settings.least_life < now then
    return finish_unsent('dropped', 'expired')
elseif challenge then
    local guesses = challenge[sms[D.known_address] and C.known_guesses or C.guesses]
    if guesses >= settings.guesses_per_challenge then
        return finish_unsent('dropped', 'burned')
    elseif challenge[C.deliveries][#challenge[C.deliveries]] ~= call.delivery_id then
        -- A resend of the same code is on its way: one SMS is enough.
        return finish_unsent('dropped', 'replaced')
    end
end

local provider, free_at
for _, candidate in ipairs(settings.providers) do
    if not string.find(' ' .. excluded .. ' ', ' ' .. candidate.name .. ' ', 1, true) then
        local at = breaker.free_at(settings.breaker_prefix .. candidate.name, now)
        if at <= now then
            provider = candidate
            break
        end
        free_at = math.min(free_at or at, at)
    end
end
if not provider then
    -- What expires soonest comes first when the breaker lets calls through, and not all at once.
    -- Nothing waits past its end.
    local left = math.min(expires_at - now, settings.longest_life) / settings.longest_life
    local at = (free_at or expires_at) + (left * 5 + call.jitter) * 1000
    return put_off(math.min(at, expires_at), 'breaker open')
end

local start_at = now
if settings.provider_rate > 0 then
    local rate_key = settings.rate_prefix .. provider.name
    local last_call_at = expires_at - settings.least_life
    local slot = sms[D.slot] or rate.take_slot(rate_key, now, last_call_at)
    if not slot then
        return finish_unsent('failed', 'throttled')
    end
    sms[D.slot] = slot
    start_at = rate.next_call(rate_key, slot, now)
    if not start_at then
        -- Of those that come too late for their slot not all come again at once.
        local again_at = slot > now and slot - settings.hold / 2
            or now + (0.5 + call.jitter) * settings.hold
        return put_off(again_at, 'rate')
    end
end

if not ours then
    sms[D.tries] = (sms[D.tries] or 0) + 1
end
local claimed_until = start_at + provider.claim_for
breaker.begin_call(settings.breaker_prefix .. provider.name, claimed_until)
sms[D.status], sms[D.claimed_until], sms[D.claimant] = 'sending', claimed_until, call.claimant
sms[D.provider], sms[D.slot] = provider.name, false
delivery.save(keys.delivery, sms)
return {
    outcome = 'send', purpose = sms[D.purpose], number = sms[D.number],
    challenge_id = challenge_id or nil, key_id = challenge and challenge[C.key_id],
    sealed = challenge and challenge[C.sealed], expires_at = expires_at, try = sms[D.tries],
    requested_at = sms[D.requested_at], after_unrecorded = sms[D.unrecorded],
    provider = provider.name, start_at = start_at, excluded = excluded,
}
