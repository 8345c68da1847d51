-- Claims one try of a delivery, so that a job that runs in two places sends once, and picks the provider for it.
-- KEYS: delivery
-- Answers {"send", purpose, number, challenge id, key id, sealed code, expires at, try, requested at, unrecorded try (0 or 1),
-- provider, start at, excluded providers}, {"drop", reason} for an SMS that nobody wants any more, {"wait", why} where the job
-- has been put off, {"ended"} after the end.
local delivery_key = KEYS[1]
local now, delivery_id, claimant = tonumber(ARGV[1]), ARGV[3], ARGV[4]
local next_job_id, job, jitter = ARGV[5], ARGV[6], tonumber(ARGV[7])

local found = redis.call('HMGET', delivery_key, 'status', 'purpose', 'number', 'challenge', 'requested_at',
    'claimed_until', 'claimant', 'tries', 'known_address', 'excluded', 'slot', 'reason', 'provider')
local status, purpose, number, challenge_id, requested_at = unpack(found, 1, 5)
local claimed_before, ours = tonumber(found[6] or 0), found[7] == claimant
local excluded, slot, last_reason = found[10] or '', tonumber(found[11] or 0), found[12]

local function put_off(at, why)
    enqueue_at(math.floor(at), next_job_id, job)
    return { 'wait', why }
end

if not status then
    return { 'drop', 'gone' }
elseif status ~= 'queued' and status ~= 'sending' then
    return { 'ended' }
elseif claimed_before > now and not ours then
    -- By then the other try is recorded, or its worker is dead.
    return put_off(claimed_before, 'claimed elsewhere')
end

local function drop(reason)
    local ended_as = 'dropped'
    if reason == 'expired' and last_reason then
        ended_as, reason = 'failed', last_reason
    end
    finish(delivery_key, ended_as, reason)
    bury(delivery_id, delivery_key, ended_as, reason, found[13], nil, now)
    -- A try that was never recorded may have been sent. Who asks again before the SMS is sent gets one SMS for two sends:
    -- else a burst could ask more often than is allowed.
    if status == 'queued' and reason ~= 'replaced' then
        undo_send(delivery_key)
    end
    return { 'drop', reason }
end

local challenge = redis.call('HMGET', settings.challenge_prefix .. purpose .. ':' .. number,
    'id', 'used', 'expires_at', 'key_id', 'sealed', 'deliveries', 'guesses', 'known_guesses')
local id, expires_at = challenge[1], tonumber(challenge[3])
if not id then
    return drop('expired')
elseif id ~= challenge_id then
    return drop('replaced')
elseif challenge[2] then
    return drop('verified')
elseif expires_at <= now then
    return drop('expired')
elseif tonumber(found[9] and challenge[8] or challenge[7]) >= settings.guesses_per_challenge then
    return drop('burned')
elseif string.sub(challenge[6], -#delivery_id) ~= delivery_id then
    -- A resend of the same code is on its way: one SMS is enough.
    return drop('replaced')
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
    local left = math.min(expires_at - now, settings.longest_life) / settings.longest_life
    return put_off((free_at or expires_at) + (left * 5 + jitter) * 1000, 'breaker open')
end

-- A call is given a slot of its own, so that all workers together keep to the rate.
if settings.provider_rate > 0 and slot == 0 then
    local rate_key = settings.rate_prefix .. provider.name
    slot = math.max(tonumber(redis.call('GET', rate_key) or 0), now)
    local next_slot = slot + 1000 / settings.provider_rate
    redis.call('SET', rate_key, string.format('%.3f', next_slot), 'PX', math.ceil(next_slot - now) + 1000)
    if slot > now + settings.hold then
        redis.call('HSET', delivery_key, 'slot', slot)
        return put_off(slot - settings.hold / 2, 'rate')
    end
end

-- A claimant that asks again has lost the first answer.
local unrecorded = status == 'sending' and not ours and 1 or 0
local try = ours and tonumber(found[8]) or redis.call('HINCRBY', delivery_key, 'tries', 1)
local start_at = math.max(now, math.floor(slot))
local claimed_until = start_at + provider.claim_for
breaker_begin_call(settings.breaker_prefix .. provider.name, claimed_until)
redis.call('HSET', delivery_key, 'status', 'sending', 'claimed_until', claimed_until, 'claimant', claimant,
    'provider', provider.name)
redis.call('HDEL', delivery_key, 'slot')
return { 'send', purpose, number, id, challenge[4], challenge[5], expires_at, try, tonumber(requested_at), unrecorded,
    provider.name, start_at, excluded }
