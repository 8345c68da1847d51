#!lua flags=allow-oom
-- Makes the code that one attempt used up good again, because its sign-in failed or its answer was
-- lost. A newer challenge is left alone. Answers whether it did.
if redis.call('HGET', keys.challenge, 'used') ~= call.attempt then
    return false
end
redis.call('HDEL', keys.challenge, 'used')
return true
