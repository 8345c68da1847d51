-- Takes in what the provider reports of an SMS that it accepted. One that is not known any more is
-- left alone, and so is one that knows better.
local DAY = 86400000
local before = redis.call('HMGET', keys.delivery, 'status', 'reason')
if not before[1] then
    return true
end
redis.call('HSETNX', keys.delivery, 'provider_id', call.provider_id)
if not delivery.may_move(before[1], before[2], call.status) then
    return true
end
redis.call('HSET', keys.delivery, 'status', call.status, 'claimed_until', 0)
if call.reason then
    redis.call('HSET', keys.delivery, 'reason', call.reason)
else
    redis.call('HDEL', keys.delivery, 'reason')
end
if delivery.is_over(call.status) then
    redis.call('PEXPIRE', keys.delivery, DAY)
end
return true
