-- Claims a request that its client may repeat, or finds what came of the first one. KEYS: the
-- records of the client's address, oldest first; then the request's record under each secret, the
-- sealing one's first ARGV: now; when the claim runs out (Unix ms); the claim; how long a record is
-- kept; how many an address may have; then the body's fingerprint under each secret Answers
-- {"claimed", "", ""}, {"in_use", "", ""}, {"reused", "", ""} or {"answered", record, sealed
-- answer}.
local of_address, new_record = KEYS[1], KEYS[2]
local now, runs_out_at, claim, keep, most = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

for i = 2, #KEYS do
    local record = redis.call('HMGET', KEYS[i], 'fingerprint', 'expires_at', 'answer')
    local fingerprint, expires_at, answer = record[1], record[2], record[3]
    if fingerprint and tonumber(expires_at) > now then
        if fingerprint ~= ARGV[i + 4] then
            return { 'reused', '', '' }
        end
        return answer and { 'answered', KEYS[i], answer } or { 'in_use', '', '' }
    end
end

redis.call('DEL', new_record)
redis.call('HSET', new_record, 'claim', claim, 'fingerprint', ARGV[6], 'expires_at', runs_out_at)
redis.call('PEXPIRE', new_record, runs_out_at - now)

-- The newest records of an address are kept, so that no flood from one fills Redis.
redis.call('ZREMRANGEBYSCORE', of_address, '-inf', now - keep)
redis.call('ZADD', of_address, now, new_record)
for _, oldest in ipairs(redis.call('ZRANGE', of_address, 0, -1 - most)) do
    redis.call('DEL', oldest)
    redis.call('ZREM', of_address, oldest)
end
redis.call('PEXPIRE', of_address, keep)
return { 'claimed', '', '' }
