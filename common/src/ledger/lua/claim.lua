-- Claims one try of a delivery, so that a job that runs in two places sends once, and picks the
-- provider for it. Answers "send" with the try, "drop" for an SMS that nobody wants any more,
-- "wait" where the job has been put off, "ended" after the end, or where another job has taken
-- over.
local now = call.now

local found = redis.call('HMGET', keys.delivery, 'status', 'purpose', 'number', 'challenge',
    'requested_at', 'claimed_until', 'claimant', 'tries', 'known_address', 'excluded', 'slot',
    'reason', 'provider', 'job', 'unrecorded', 'expires_at')
local status, purpose, number, challenge_id, requested_at = unpack(found, 1, 5)
local claimed_before, excluded = tonumber(found[6] or 0), found[10] or ''
local slot, last_reason, last_provider = tonumber(found[11] or 0), found[12], found[13]
local unrecorded = found[15] == '1'
-- Who asks again has lost the answer to its claim, or got it too late, and has not sent.
local ours = status == 'sending' and found[7] == call.claimant

local function put_off(at, why)
    if ours then
        redis.call('HSET', keys.delivery, 'status', 'queued', 'claimed_until', 0)
    end
    delivery.enqueue_next(keys.delivery, math.floor(at), call.next_job_id, call.next_job)
    return { outcome = 'wait', why = why }
end

if not status then
    return { outcome = 'drop', reason = 'gone' }
elseif status ~= 'queued' and status ~= 'sending' then
    return { outcome = 'ended' }
elseif ours then
    breaker.release(settings.breaker_prefix .. last_provider)
elseif (found[14] or '') ~= call.job_id then
    -- A delivery has one job that counts: this one is left over from a worker that was lost, or
    -- whose answer was.
    return { outcome = 'ended' }
elseif claimed_before > now then
    -- By then the other try is recorded, or its worker is dead.
    return put_off(claimed_before, 'claimed elsewhere')
elseif status == 'sending' then
    unrecorded = true
    redis.call('HSET', keys.delivery, 'unrecorded', 1)
end

local function finish_unsent(as, why)
    local ended_as, reason = delivery.end_of(as, why, unrecorded, last_reason)
    delivery.finish(keys.delivery, ended_as, reason)
    delivery.bury(call.delivery_id, keys.delivery, ended_as, reason, last_provider, nil, now)
    -- Who asks again before the SMS is sent gets one SMS for two sends: else a burst could ask more
    -- often than is allowed.
    if not unrecorded and reason ~= 'replaced' then
        delivery.undo_send(keys.delivery)
    end
    return { outcome = 'drop', reason = reason }
end

-- An SMS with a code lives as long as its challenge, one without has an expiry of its own.
local challenge = {}
if challenge_id then
    challenge = redis.call('HMGET', settings.challenge_prefix .. purpose .. ':' .. number,
        'id', 'used', 'expires_at', 'key_id', 'sealed', 'deliveries',
        found[9] and 'known_guesses' or 'guesses')
    if not challenge[1] then
        return finish_unsent('dropped', 'expired')
    elseif challenge[1] ~= challenge_id then
        return finish_unsent('dropped', 'replaced')
    elseif challenge[2] then
        return finish_unsent('dropped', 'verified')
    end
end
local expires_at = tonumber(challenge[3] or found[16])
if expires_at - settings.least_life < now then
    return finish_unsent('dropped', 'expired')
elseif challenge_id and tonumber(challenge[7] or 0) >= settings.guesses_per_challenge then
    return finish_unsent('dropped', 'burned')
elseif challenge_id and string.sub(challenge[6], -#call.delivery_id) ~= call.delivery_id then
    -- A resend of the same code is on its way: one SMS is enough.
    return finish_unsent('dropped', 'replaced')
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
    slot = slot > 0 and slot or rate.take_slot(rate_key, now, last_call_at)
    if not slot then
        return finish_unsent('failed', 'throttled')
    end
    redis.call('HSET', keys.delivery, 'slot', slot)
    start_at = rate.next_call(rate_key, slot, now)
    if not start_at then
        -- Of those that come too late for their slot not all come again at once.
        local again_at = slot > now and slot - settings.hold / 2
            or now + (0.5 + call.jitter) * settings.hold
        return put_off(again_at, 'rate')
    end
end

local try = ours and tonumber(found[8]) or redis.call('HINCRBY', keys.delivery, 'tries', 1)
local claimed_until = start_at + provider.claim_for
breaker.begin_call(settings.breaker_prefix .. provider.name, claimed_until)
redis.call('HSET', keys.delivery, 'status', 'sending', 'claimed_until', claimed_until,
    'claimant', call.claimant, 'provider', provider.name)
redis.call('HDEL', keys.delivery, 'slot')
return {
    outcome = 'send', purpose = purpose, number = number, challenge_id = challenge_id or nil,
    key_id = challenge[4] or nil, sealed = challenge[5] or nil, expires_at = expires_at, try = try,
    requested_at = tonumber(requested_at), after_unrecorded = unrecorded,
    provider = provider.name, start_at = start_at, excluded = excluded,
}
