-- Takes in what the provider reports of an SMS that it accepted.
-- KEYS: delivery
-- ARGV: now; status; reason or ""; provider's id
-- Answers 1 where the delivery moved on, 0 where it knew better, -1 where there is none.
local delivery_key = KEYS[1]
local status, reason, provider_id = ARGV[2], ARGV[3], ARGV[4]
local before = redis.call('HMGET', delivery_key, 'status', 'reason')
if not before[1] then
    return -1
end
redis.call('HSETNX', delivery_key, 'provider_id', provider_id)
if not may_move(before[1], before[2], status) then
    return 0
end
redis.call('HSET', delivery_key, 'status', status, 'claimed_until', 0)
if reason ~= '' then
    redis.call('HSET', delivery_key, 'reason', reason)
else
    redis.call('HDEL', delivery_key, 'reason')
end
if RANK[status] == 3 then
    redis.call('PEXPIRE', delivery_key, DAY)
end
return 1
