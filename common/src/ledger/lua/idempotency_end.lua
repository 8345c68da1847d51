-- Keeps the answer to a claimed request or, where there is none to keep, frees its key. A claim
-- that ran out changes nothing.
if redis.call('HGET', keys.record, 'claim') ~= call.claim then
    return false
end
if not call.sealed or call.expires_at <= call.now then
    redis.call('DEL', keys.record)
    redis.call('ZREM', keys.of_address, keys.record)
else
    redis.call('HSET', keys.record, 'answer', call.sealed, 'expires_at', call.expires_at)
    redis.call('PEXPIRE', keys.record, call.expires_at - call.now)
end
return true
