-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right one.
-- KEYS: challenge
-- Answers {1, challenge id, name} for the right guess, {0, "", ""} for all others, whatever the reason.
local challenge_key = KEYS[1]
local now, most_guesses = tonumber(ARGV[1]), tonumber(ARGV[2])

local found = redis.call('HMGET', challenge_key, 'id', 'state', 'expires_at', 'key_id', 'tag', 'name')
local id, state, expires_at, key_id, tag, name = found[1], found[2], tonumber(found[3]), found[4], found[5], found[6]
if not id or state ~= 'live' or expires_at <= now then
    return { 0, '', '' }
end

-- One pair of key id and tag for each secret in use.
for i = 3, #ARGV, 2 do
    if ARGV[i] == key_id and redis.sha1hex(id .. ARGV[i + 1]) == tag then
        redis.call('HSET', challenge_key, 'state', 'used')
        return { 1, id, name }
    end
end

if redis.call('HINCRBY', challenge_key, 'guesses', 1) >= most_guesses then
    redis.call('HSET', challenge_key, 'state', 'burned')
end
return { 0, '', '' }
