-- Keeps the answer to a claimed request or, where there is none to keep, frees its key. A claim
-- that ran out changes nothing. KEYS: the records of the client's address; the record ARGV: the
-- claim; the sealed answer or ""; now; when the answer expires (Unix ms)
local of_address, record = KEYS[1], KEYS[2]
local claim, answer, now, expires_at = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

if redis.call('HGET', record, 'claim') ~= claim then
    return 0
end
if answer == '' or expires_at <= now then
    redis.call('DEL', record)
    redis.call('ZREM', of_address, record)
else
    redis.call('HSET', record, 'answer', answer, 'expires_at', expires_at)
    redis.call('PEXPIRE', record, expires_at - now)
end
return 1
