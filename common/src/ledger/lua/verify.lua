-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right
-- one. KEYS: challenge, number, known, wrong guesses by number, by address, by both, blocked
-- Answers {"right", the name that the same address gave, or ""}; every other guess gets {why, ""}, and the client must not see why.
local challenge_key, number_key, known_key, by_number, by_address, by_both, blocked_key = unpack(KEYS)
local now, address_tags, attempt = tonumber(ARGV[1]), ARGV[2], ARGV[3]

if blocked_until(redis.call('GET', blocked_key), now) then
    return { 'blocked', '' }
end

-- Most numbers are new, and most guesses are right: that is asked once, for all that may be known.
local has_past = redis.call('EXISTS', known_key, by_address, by_number, by_both) > 0
local known = has_past and known_address(known_key, address_tags, now)
if has_past then
    -- What strangers guess, at this number or from this address, does not lock its owner out.
    local closed_to_strangers = wait_in_log(by_address, settings.wrong_guesses_per_address_hour, HOUR, now) > 0
        or wait_in_log(by_number, settings.wrong_guesses_per_number_hour, HOUR, now) > 0
    local closed = wait_in_log(by_both, settings.wrong_guesses_per_hour, HOUR, now) > 0
        or wait_in_log(by_number, settings.wrong_guesses_per_number_day, DAY, now) > 0
    if closed or closed_to_strangers and not known then
        return { 'closed', '' }
    end
end

local function not_right(why)
    note_in_log(by_address, settings.wrong_guesses_per_address_hour, HOUR, now)
    return { why, '' }
end

local counted_as = known and 'known_guesses' or 'guesses'
local found = redis.call('HMGET', challenge_key,
    'id', 'used', 'expires_at', 'key_id', 'tag', 'names', counted_as, 'deliveries')
local id, used, expires_at, key_id, expected, names = unpack(found, 1, 6)
if not id or used then
    return not_right('none')
elseif tonumber(expires_at) <= now then
    return not_right('expired')
elseif tonumber(found[7] or 0) >= settings.guesses_per_challenge then
    return not_right('burned')
end

-- One pair of key id and tag for each secret in use.
local right = false
for i = 4, #ARGV, 2 do
    right = right or ARGV[i] == key_id and redis.sha1hex(id .. ARGV[i + 1]) == expected
end
if not right then
    redis.call('HINCRBY', challenge_key, counted_as, 1)
    note_in_log(by_both, settings.wrong_guesses_per_hour, HOUR, now)
    local most = math.max(settings.wrong_guesses_per_number_hour, settings.wrong_guesses_per_number_day)
    note_in_log(by_number, most, DAY, now)
    return not_right('wrong')
end

redis.call('HSET', challenge_key, 'used', attempt)
for delivery_id in string.gmatch(found[8], '%S+') do
    give_back(settings.delivery_prefix .. delivery_id)
end
redis.call('HDEL', number_key, known and 'streak:' .. known or 'streak')

-- The newest addresses are remembered, under the tag of the first secret.
redis.call('ZADD', known_key, ARGV[1], string.match(address_tags, '%S+'))
if has_past then
    redis.call('ZREMRANGEBYSCORE', known_key, '-inf', now - KNOWN_FOR)
    redis.call('ZREMRANGEBYRANK', known_key, 0, -1 - settings.known_addresses)
end
redis.call('PEXPIRE', known_key, KNOWN_FOR)
return { 'right', name_from(names, address_tags) }
