-- Tells how full a leaky bucket is and, where that is wanted, empties it.
-- KEYS: bucket
-- ARGV, from the second: its capacity; 1 to empty it
-- Answers its level before, as text.
local level = level_of(redis.call('GET', KEYS[1]), tonumber(ARGV[2]), tonumber(ARGV[1]))
if ARGV[3] == '1' then
    redis.call('DEL', KEYS[1])
end
return string.format('%.3f', level)
