-- Records what came of a try.
-- KEYS: delivery
-- ARGV: status; claimant; reason or ""; provider's id or ""; "1" where the SMS was surely not accepted, else ""; prefixes of
-- buckets and sends; then, to try again: when (Unix ms), a fresh job id, the job
local delivery_key = KEYS[1]
local status, claimant, reason, provider_id, undo, bucket_prefix, sends_prefix, try_again_at, next_job_id, job = unpack(ARGV)

local before = redis.call('HMGET', delivery_key, 'status', 'claimant')
if before[1] ~= 'sending' and before[1] ~= 'queued' then
    return 0
end
-- Whose claim ran out may still tell that the SMS was sent, but has no say any more in what comes next.
if status ~= 'sent' and before[2] ~= claimant then
    return 0
end
redis.call('HSET', delivery_key, 'status', status, 'claimed_until', 0)
if reason ~= '' then
    redis.call('HSET', delivery_key, 'reason', reason)
end
if provider_id ~= '' then
    redis.call('HSET', delivery_key, 'provider_id', provider_id)
end
if undo == '1' then
    undo_send(delivery_key, bucket_prefix, sends_prefix)
end
if try_again_at then
    enqueue_at(tonumber(try_again_at), next_job_id, job)
end
return 1
