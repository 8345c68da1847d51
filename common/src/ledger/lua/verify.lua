-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right
-- one. KEYS: challenge, number, known, wrong guesses by number, by address, by both, the bucket of
-- those of the network, blocked
-- Answers {"right", the name that the same address gave, or ""}; every other guess gets {why, ""},
-- and the client must not see why.
local challenge_key, number_key, known_key, by_number, by_address, by_both, by_network, blocked_key = unpack(KEYS)
local now, address_tags, attempt = tonumber(ARGV[1]), ARGV[2], ARGV[3]

local kept = redis.call('MGET', by_network, blocked_key)
if blocked_until(kept[2], now) then
    return { 'blocked', '' }
end

local network_capacity = settings.wrong_guesses_per_network_hour
local network_level, network_at = level_of(kept[1], math.max(network_capacity, 1), now)
local network_wait = network_capacity > 0 and wait_for_bucket(network_level, network_capacity) or 0

-- Most numbers are new, and most guesses are right: that is asked once, for all that may be known.
local has_past = redis.call('EXISTS', known_key, by_address, by_number, by_both) > 0
local closed = network_wait > 0
if has_past then
    if wait_in_log(by_both, settings.wrong_guesses_per_hour, HOUR, now) > 0 then
        return { 'closed', '' }
    end
    closed = closed or wait_in_log(by_address, settings.wrong_guesses_per_address_hour, HOUR, now) > 0
        or wait_in_log(by_number, settings.wrong_guesses_per_number_hour, HOUR, now) > 0
        or wait_in_log(by_number, settings.wrong_guesses_per_number_day, DAY, now) > 0
end

local function not_right(why)
    note_in_log(by_address, settings.wrong_guesses_per_address_hour, HOUR, now)
    if network_capacity > 0 and network_wait == 0 then
        redis.call('SET', by_network, packed_bucket(network_level + 1, network_at),
            'PX', life_of_bucket(network_level + 1, network_capacity))
    end
    return { why, '' }
end

local found = redis.call('HMGET', challenge_key,
    'id', 'used', 'expires_at', 'key_id', 'tag', 'names', 'guesses', 'known_guesses', 'deliveries')
local id, used, expires_at, key_id, expected, names, guesses, known_guesses, deliveries = unpack(found)
local burned = id and tonumber(guesses or 0) >= settings.guesses_per_challenge

-- Where strangers have used up what is for all, known addresses have guesses of their own. What is
-- for all counts everybody's, so that nothing of it tells who is known.
local known = (closed or burned) and known_address(known_key, address_tags, now)
if closed and not known or closed and wait_in_own_part(by_number, settings.wrong_guesses_per_number_day_own,
    settings.wrong_guesses_per_number_day, now) > 0 then
    return { 'closed', '' }
end

if not id or used then
    return not_right('none')
elseif tonumber(expires_at) <= now then
    return not_right('expired')
elseif burned and not known or known and tonumber(known_guesses or 0) >= settings.guesses_per_challenge then
    return not_right('burned')
end

-- One pair of key id and tag for each secret in use.
local right = false
for i = 4, #ARGV, 2 do
    right = right or ARGV[i] == key_id and redis.sha1hex(id .. ARGV[i + 1]) == expected
end
if not right then
    redis.call('HINCRBY', challenge_key, 'guesses', 1)
    if known or known_address(known_key, address_tags, now) then
        redis.call('HINCRBY', challenge_key, 'known_guesses', 1)
    end
    note_in_log(by_both, settings.wrong_guesses_per_hour, HOUR, now)
    if closed and settings.wrong_guesses_per_number_day_own > 0 then
        note_in_log(by_number .. ':known', settings.wrong_guesses_per_number_day_own, DAY, now)
    else
        local most = math.max(settings.wrong_guesses_per_number_hour, settings.wrong_guesses_per_number_day)
        note_in_log(by_number, most, DAY, now)
    end
    return not_right('wrong')
end

redis.call('HSET', challenge_key, 'used', attempt)
for delivery_id in string.gmatch(deliveries, '%S+') do
    give_back(settings.delivery_prefix .. delivery_id)
end
local streaks = { 'streak' }
for tag in string.gmatch(address_tags, '%S+') do
    streaks[#streaks + 1] = 'streak:' .. tag
end
redis.call('HDEL', number_key, unpack(streaks))

-- The newest addresses are remembered, under the tag of the first secret.
redis.call('ZADD', known_key, ARGV[1], string.match(address_tags, '%S+'))
if has_past then
    redis.call('ZREMRANGEBYSCORE', known_key, '-inf', now - KNOWN_FOR)
    redis.call('ZREMRANGEBYRANK', known_key, 0, -1 - settings.known_addresses)
end
redis.call('PEXPIRE', known_key, KNOWN_FOR)
return { 'right', name_from(names, address_tags) }
