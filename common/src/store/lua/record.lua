-- Records what came of a try.
-- KEYS: delivery
-- ARGV: status; reason or ""; provider's id or ""; then, to try again: when (Unix ms), a fresh job id, the job
local delivery_key = KEYS[1]
local status, reason, provider_id, try_again_at, next_job_id, job = unpack(ARGV)

local before = redis.call('HGET', delivery_key, 'status')
if before ~= 'sending' and before ~= 'queued' then
    return 0
end
redis.call('HSET', delivery_key, 'status', status, 'claimed_until', 0)
if reason ~= '' then
    redis.call('HSET', delivery_key, 'reason', reason)
end
if provider_id ~= '' then
    redis.call('HSET', delivery_key, 'provider_id', provider_id)
end
if try_again_at then
    enqueue_at(tonumber(try_again_at), next_job_id, job)
end
return 1
