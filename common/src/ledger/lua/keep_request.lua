-- Keeps what an OpenID client asks for while its user signs in. The newest requests of an address
-- are kept, so that no flood from one fills Redis.
redis.call('SET', keys.request, call.content, 'PX', call.kept_for)
redis.call('ZREMRANGEBYSCORE', keys.of_address, '-inf', call.now - call.kept_for)
redis.call('ZADD', keys.of_address, call.now, keys.request)
for _, oldest in ipairs(redis.call('ZRANGE', keys.of_address, 0, -1 - call.most)) do
    redis.call('DEL', oldest)
    redis.call('ZREM', keys.of_address, oldest)
end
redis.call('PEXPIRE', keys.of_address, call.kept_for)
return true
