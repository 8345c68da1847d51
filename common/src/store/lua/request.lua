-- Asks for a code: keeps the number's challenge or makes a new one, and writes delivery and job with it. All or nothing.
-- KEYS: challenge, delivery
-- Answers {"sent", expires in ms, 0} or {"burned", until then in ms, 0}.
local challenge_key, delivery_key = KEYS[1], KEYS[2]
local now, ttl, longest_life, keep_delivery = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local purpose, number, name = ARGV[5], ARGV[6], ARGV[7]
local new_id, key_id, sealed, tag, known_keys = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local delivery_id, job_id, job = ARGV[13], ARGV[14], ARGV[15]

local old = redis.call('HMGET', challenge_key, 'id', 'state', 'expires_at', 'first_asked_at', 'key_id')
local id, state, expires_at, first_asked_at = old[1], old[2], tonumber(old[3]), tonumber(old[4])
local alive = id and expires_at > now

if alive and state == 'burned' then
    return { 'burned', expires_at - now, 0 }
end

-- A late SMS stays good while a full life still ends within the longest that a code may live.
local same_code = alive and state == 'live' and now + ttl <= first_asked_at + longest_life
    and string.find(known_keys, old[5], 1, true)
if same_code then
    redis.call('HSET', challenge_key, 'expires_at', now + ttl, 'delivery', delivery_id, 'name', name)
else
    id = new_id
    redis.call('DEL', challenge_key)
    redis.call('HSET', challenge_key, 'id', id, 'state', 'live', 'guesses', 0,
        'first_asked_at', now, 'expires_at', now + ttl,
        'key_id', key_id, 'sealed', sealed, 'tag', redis.sha1hex(id .. tag),
        'delivery', delivery_id, 'name', name)
end
redis.call('PEXPIRE', challenge_key, ttl + 60000)

redis.call('HSET', delivery_key, 'status', 'queued', 'purpose', purpose, 'number', number,
    'challenge', id, 'requested_at', now)
redis.call('PEXPIRE', delivery_key, keep_delivery)
enqueue(job_id, job)
return { 'sent', ttl, 0 }
