-- Writes an SMS that carries no code, and its job. Asked again, because an answer was lost, it does
-- nothing. KEYS: delivery ARGV: what it tells; number; asked for at; expires at; how long the
-- delivery is kept (ms); job id and payload
local delivery_key, kind, number, requested_at, expires_at, kept_for = KEYS[1], unpack(ARGV, 1, 5)
if redis.call('EXISTS', delivery_key) == 1 then
    return 0
end
redis.call('HSET', delivery_key, 'status', 'queued', 'purpose', kind, 'number', number,
    'requested_at', requested_at, 'expires_at', expires_at)
redis.call('PEXPIRE', delivery_key, kept_for)
enqueue(ARGV[6], ARGV[7])
return 1
