-- Claims one try of a delivery, so that a job that runs in two places sends once, and picks the
-- provider for it. KEYS: delivery ARGV, from the second: delivery id; claimant; the job's own id,
-- or "" of the first; id and payload of the job that comes after it; a random number from 0 to 1
-- Answers {"send", purpose, number, challenge id, key id, sealed code (all three "" of an SMS
-- without a code), expires at, try, requested at, unrecorded try (0 or 1), provider, start at,
-- excluded providers}, {"drop", reason} for an SMS that nobody wants any more, {"wait", why} where
-- the job has been put off, {"ended"} after the end, or where another job has taken over.
local delivery_key = KEYS[1]
local now, delivery_id, claimant = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local this_job_id, next_job_id, next_job, jitter = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

local found = redis.call('HMGET', delivery_key, 'status', 'purpose', 'number', 'challenge', 'requested_at',
    'claimed_until', 'claimant', 'tries', 'known_address', 'excluded', 'slot', 'reason', 'provider', 'job', 'unrecorded',
    'expires_at')
local status, purpose, number, challenge_id, requested_at = unpack(found, 1, 5)
local claimed_before, excluded, slot = tonumber(found[6] or 0), found[10] or '', tonumber(found[11] or 0)
local last_reason, last_provider, unrecorded = found[12], found[13], found[15] == '1'
-- Who asks again has lost the answer to its claim, or got it too late, and has not sent.
local ours = status == 'sending' and found[7] == claimant

local function put_off(at, why)
    if ours then
        redis.call('HSET', delivery_key, 'status', 'queued', 'claimed_until', 0)
    end
    enqueue_next(delivery_key, math.floor(at), next_job_id, next_job)
    return { 'wait', why }
end

if not status then
    return { 'drop', 'gone' }
elseif status ~= 'queued' and status ~= 'sending' then
    return { 'ended' }
elseif ours then
    breaker_release(settings.breaker_prefix .. last_provider)
elseif (found[14] or '') ~= this_job_id then
    -- A delivery has one job that counts: this one is left over from a worker that was lost, or
    -- whose answer was.
    return { 'ended' }
elseif claimed_before > now then
    -- By then the other try is recorded, or its worker is dead.
    return put_off(claimed_before, 'claimed elsewhere')
elseif status == 'sending' then
    unrecorded = true
    redis.call('HSET', delivery_key, 'unrecorded', 1)
end

local function finish_unsent(status, reason)
    local ended_as
    ended_as, reason = end_of(status, reason, unrecorded, last_reason)
    finish(delivery_key, ended_as, reason)
    bury(delivery_id, delivery_key, ended_as, reason, last_provider, nil, now)
    -- Who asks again before the SMS is sent gets one SMS for two sends: else a burst could ask more
    -- often than is allowed.
    if not unrecorded and reason ~= 'replaced' then
        undo_send(delivery_key)
    end
    return { 'drop', reason }
end

-- An SMS with a code lives as long as its challenge, one without has an expiry of its own.
local challenge = {}
if challenge_id then
    challenge = redis.call('HMGET', settings.challenge_prefix .. purpose .. ':' .. number,
        'id', 'used', 'expires_at', 'key_id', 'sealed', 'deliveries', found[9] and 'known_guesses' or 'guesses')
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
elseif challenge_id and string.sub(challenge[6], -#delivery_id) ~= delivery_id then
    -- A resend of the same code is on its way: one SMS is enough.
    return finish_unsent('dropped', 'replaced')
end

local provider, free_at
for _, candidate in ipairs(settings.providers) do
    if not string.find(' ' .. excluded .. ' ', ' ' .. candidate.name .. ' ', 1, true) then
        local at = breaker_free_at(settings.breaker_prefix .. candidate.name, now)
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
    local at = (free_at or expires_at) + (left * 5 + jitter) * 1000
    return put_off(math.min(at, expires_at), 'breaker open')
end

local start_at = now
if settings.provider_rate > 0 then
    local rate_key, last_call_at = settings.rate_prefix .. provider.name, expires_at - settings.least_life
    slot = slot > 0 and slot or rate_take_slot(rate_key, now, last_call_at)
    if not slot then
        return finish_unsent('failed', 'throttled')
    end
    redis.call('HSET', delivery_key, 'slot', slot)
    start_at = rate_next_call(rate_key, slot, now)
    if not start_at then
        -- Of those that come too late for their slot not all come again at once.
        return put_off(slot > now and slot - settings.hold / 2 or now + (0.5 + jitter) * settings.hold, 'rate')
    end
end

local try = ours and tonumber(found[8]) or redis.call('HINCRBY', delivery_key, 'tries', 1)
local claimed_until = start_at + provider.claim_for
breaker_begin_call(settings.breaker_prefix .. provider.name, claimed_until)
redis.call('HSET', delivery_key, 'status', 'sending', 'claimed_until', claimed_until, 'claimant', claimant,
    'provider', provider.name)
redis.call('HDEL', delivery_key, 'slot')
return { 'send', purpose, number, challenge_id or '', challenge[4] or '', challenge[5] or '', expires_at, try,
    tonumber(requested_at), unrecorded and 1 or 0, provider.name, start_at, excluded }
