-- Keeps the answer to a claimed request or, where there is none to keep, frees its key. A claim
-- that ran out changes nothing.
if redis.call('HGET', keys.record, 'claim') ~= call.claim then
    return false
end
if not call.sealed or call.expires_at <= call.now then
    redis.call('DEL', keys.record)
    redis.call('ZREM', keys.of_address, keys.record)
elseif call.is_refusal then
    -- Nothing else bounds refusals, because anybody may have them from any number of addresses. So
    -- the newest of all are kept.
    redis.call('HSET', keys.record, 'answer', call.sealed, 'expires_at', call.expires_at)
    redis.call('PEXPIRE', keys.record, call.expires_at - call.now)
    redis.call('ZREM', keys.of_address, keys.record)
    redis.call('ZREMRANGEBYSCORE', keys.refusals, '-inf', call.now - call.kept_for)
    redis.call('ZADD', keys.refusals, call.now, keys.record)
    for _, oldest in ipairs(redis.call('ZRANGE', keys.refusals, 0, -1 - call.most)) do
        redis.call('DEL', oldest)
        redis.call('ZREM', keys.refusals, oldest)
    end
    redis.call('PEXPIRE', keys.refusals, call.kept_for)
else
    redis.call('ZREM', keys.refusals, keys.record)
    redis.call('HSET', keys.record, 'answer', call.sealed, 'expires_at', call.expires_at)
    redis.call('PEXPIRE', keys.record, call.expires_at - call.now)
end
return true
