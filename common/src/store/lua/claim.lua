-- Claims one try of a delivery, so that a job that runs in two places sends once.
-- KEYS: delivery
-- Answers {"send", purpose, number, challenge id, key id, sealed code, expires at, try, requested at, unrecorded try (0 or 1)},
-- {"drop", reason} for an SMS that nobody wants any more, {"wait"} while another try is claimed, {"ended"} after the end.
local delivery_key = KEYS[1]
local now, claimed_until = tonumber(ARGV[1]), tonumber(ARGV[2])
local delivery_id, claimant, next_job_id, job = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local challenge_prefix, bucket_prefix, sends_prefix, guesses_per_challenge = ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10])

local delivery = redis.call('HMGET', delivery_key,
    'status', 'purpose', 'number', 'challenge', 'requested_at', 'claimed_until', 'claimant', 'tries', 'known_address')
local status, purpose, number, challenge_id, requested_at = delivery[1], delivery[2], delivery[3], delivery[4], delivery[5]
local claimed_before, ours = tonumber(delivery[6] or 0), delivery[7] == claimant
if not status then
    return { 'drop', 'gone' }
end
if status ~= 'queued' and status ~= 'sending' then
    return { 'ended' }
end
if claimed_before > now and not ours then
    -- Looks again when that claim has run out: by then the other try is recorded, or its worker is dead.
    enqueue_at(claimed_before, next_job_id, job)
    return { 'wait' }
end

local function drop(reason)
    redis.call('HSET', delivery_key, 'status', 'dropped', 'reason', reason)
    -- Who asks again before the SMS is sent gets one SMS for two sends: else a burst could ask more often than is allowed.
    if status == 'queued' and reason ~= 'replaced' then
        undo_send(delivery_key, bucket_prefix, sends_prefix)
    end
    return { 'drop', reason }
end

local challenge = redis.call('HMGET', challenge_prefix .. purpose .. ':' .. number,
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
elseif tonumber(delivery[9] and challenge[8] or challenge[7]) >= guesses_per_challenge then
    return drop('burned')
elseif string.sub(challenge[6], -#delivery_id) ~= delivery_id then
    -- A resend of the same code is on its way: one SMS is enough.
    return drop('replaced')
end

-- A claimant that asks again has lost the first answer.
local unrecorded = status == 'sending' and not ours and 1 or 0
local try = ours and tonumber(delivery[8]) or redis.call('HINCRBY', delivery_key, 'tries', 1)
redis.call('HSET', delivery_key, 'status', 'sending', 'claimed_until', claimed_until, 'claimant', claimant)
return { 'send', purpose, number, id, challenge[4], challenge[5], expires_at, try, tonumber(requested_at), unrecorded }
