-- KEYS: the workers set, the prefix of their in-flight sets. Returns waiting, retrying, in flight.
local in_flight = 0
for _, worker in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  in_flight = in_flight + redis.call('SCARD', KEYS[2] .. ':' .. worker)
end
return {redis.call('LLEN', active), redis.call('ZCARD', retry), in_flight}
