#!lua flags=allow-oom
-- Tells how full a leaky bucket is and, where that is wanted, empties it. Answers its level before.
local level = bucket.level(redis.call('GET', keys.bucket), call.capacity, call.now)
if call.empty then
    redis.call('DEL', keys.bucket)
end
return level
