-- Claims a request that its client may repeat, or finds what came of the first one. It may be
-- recorded under each secret; a new record is made under the first.
for _, record in ipairs(call.records) do
    local found = redis.call('HMGET', record.key, 'fingerprint', 'expires_at', 'answer')
    local fingerprint, expires_at, answer = found[1], found[2], found[3]
    if fingerprint and tonumber(expires_at) > call.now then
        if fingerprint ~= record.fingerprint then
            return { outcome = 'reused' }
        elseif answer then
            return { outcome = 'answered', record = record.key, answer = answer }
        end
        return { outcome = 'in_use' }
    end
end

redis.call('DEL', keys.record)
redis.call('HSET', keys.record, 'claim', call.claim, 'fingerprint', call.records[1].fingerprint,
    'expires_at', call.runs_out_at)
redis.call('PEXPIRE', keys.record, call.runs_out_at - call.now)

-- The newest records of an address are kept, so that no flood from one fills Redis.
redis.call('ZREMRANGEBYSCORE', keys.of_address, '-inf', call.now - call.kept_for)
redis.call('ZADD', keys.of_address, call.now, keys.record)
for _, oldest in ipairs(redis.call('ZRANGE', keys.of_address, 0, -1 - call.most)) do
    redis.call('DEL', oldest)
    redis.call('ZREM', keys.of_address, oldest)
end
redis.call('PEXPIRE', keys.of_address, call.kept_for)
return { outcome = 'claimed' }
