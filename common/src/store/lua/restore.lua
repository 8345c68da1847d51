-- Makes a used code good again, because the sign-in that used it failed. A newer challenge is left alone.
-- KEYS: challenge
local challenge_key, id = KEYS[1], ARGV[1]
local found = redis.call('HMGET', challenge_key, 'id', 'state')
if found[1] == id and found[2] == 'used' then
    redis.call('HSET', challenge_key, 'state', 'live')
    return 1
end
return 0
