-- Makes the code that one attempt used up good again, because its sign-in failed or its answer was
-- lost. A newer challenge is left alone. Answers 1 where it did. KEYS: challenge
local challenge_key, attempt = KEYS[1], ARGV[1]
if redis.call('HGET', challenge_key, 'used') ~= attempt then
    return 0
end
redis.call('HDEL', challenge_key, 'used')
return 1
