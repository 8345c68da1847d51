-- Makes a used code good again, because the sign-in that used it failed. A newer challenge is left alone.
-- KEYS: challenge
local challenge_key, id = KEYS[1], ARGV[1]
if redis.call('HGET', challenge_key, 'id') == id then
    redis.call('HDEL', challenge_key, 'used')
end
