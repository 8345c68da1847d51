-- Claims one try of a delivery, so that a job that runs in two places sends once.
-- KEYS: delivery
-- Answers {"send", purpose, number, challenge id, key id, sealed code, expires at, try, requested at, unrecorded try (0 or 1)},
-- {"drop", reason} for an SMS that nobody wants any more, {"wait"} while another try is claimed, {"ended"} after the end.
local delivery_key = KEYS[1]
local now, claimed_until, challenge_prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local delivery_id, claimant, next_job_id, job = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local delivery = redis.call('HMGET', delivery_key,
    'status', 'purpose', 'number', 'challenge', 'requested_at', 'claimed_until', 'claimant', 'tries')
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
    return { 'drop', reason }
end

local challenge = redis.call('HMGET', challenge_prefix .. purpose .. ':' .. number,
    'id', 'state', 'expires_at', 'key_id', 'sealed', 'delivery')
local id, state, expires_at = challenge[1], challenge[2], tonumber(challenge[3])
if not id then
    return drop('expired')
elseif id ~= challenge_id then
    return drop('replaced')
elseif state == 'used' then
    return drop('verified')
elseif state == 'burned' then
    return drop('burned')
elseif expires_at <= now then
    return drop('expired')
elseif challenge[6] ~= delivery_id then
    -- A resend of the same code is on its way: one SMS is enough.
    return drop('replaced')
end

-- A claimant that asks again has lost the first answer.
local unrecorded = status == 'sending' and not ours and 1 or 0
local try = ours and tonumber(delivery[8]) or redis.call('HINCRBY', delivery_key, 'tries', 1)
redis.call('HSET', delivery_key, 'status', 'sending', 'claimed_until', claimed_until, 'claimant', claimant)
return { 'send', purpose, number, id, challenge[4], challenge[5], expires_at, try, tonumber(requested_at), unrecorded }
