-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right
-- one. A client must not see why a guess is refused.
local now = call.now

if block.until_at(redis.call('GET', keys.blocked), now) then
    return { outcome = 'refused', why = 'blocked' }
end

-- Most numbers are new, and most guesses are right: that is asked once, for all that may be known.
local has_past = redis.call('EXISTS', keys.known, keys.wrong_by_address, keys.wrong_by_number,
    keys.wrong_by_both) > 0
local known = has_past and known_addresses.find(keys.known, call.address_tags, now)
if has_past then
    -- What strangers guess, at this number or from this address, does not lock its owner out.
    local closed_to_strangers = log.wait(keys.wrong_by_address,
            settings.wrong_guesses_per_address_hour,
            settings.wrong_guesses_per_address_hour_window, now) > 0
        or log.wait(keys.wrong_by_number, settings.wrong_guesses_per_number_hour,
            settings.wrong_guesses_per_number_hour_window, now) > 0
    local closed = log.wait(keys.wrong_by_both, settings.wrong_guesses_per_hour,
            settings.wrong_guesses_per_hour_window, now) > 0
        or log.wait(keys.wrong_by_number, settings.wrong_guesses_per_number_day,
            settings.wrong_guesses_per_number_day_window, now) > 0
    if closed or closed_to_strangers and not known then
        return { outcome = 'refused', why = 'closed' }
    end
end

local function not_right(why)
    log.note(keys.wrong_by_address, settings.wrong_guesses_per_address_hour,
        settings.wrong_guesses_per_address_hour_window, now)
    return { outcome = 'refused', why = why }
end

local counted_as = known and 'known_guesses' or 'guesses'
local found = redis.call('HMGET', keys.challenge,
    'id', 'used', 'expires_at', 'key_id', 'tag', 'names', counted_as, 'deliveries')
local id, used, expires_at, key_id, expected, given_names = unpack(found, 1, 6)
if not id or used then
    return not_right('none')
elseif tonumber(expires_at) <= now then
    return not_right('expired')
elseif tonumber(found[7] or 0) >= settings.guesses_per_challenge then
    return not_right('burned')
end

-- One for each secret in use.
local right = false
for _, guess in ipairs(call.guesses) do
    right = right or guess.key_id == key_id and redis.sha1hex(id .. guess.tag) == expected
end
if not right then
    redis.call('HINCRBY', keys.challenge, counted_as, 1)
    log.note(keys.wrong_by_both, settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now)
    local most = math.max(settings.wrong_guesses_per_number_hour,
        settings.wrong_guesses_per_number_day)
    log.note(keys.wrong_by_number, most, settings.wrong_guesses_per_number_day_window, now)
    return not_right('wrong')
end

redis.call('HSET', keys.challenge, 'used', call.attempt)
for delivery_id in string.gmatch(found[8], '%S+') do
    charges.give_back(settings.delivery_prefix .. delivery_id)
end
redis.call('HDEL', keys.number, known and 'streak:' .. known or 'streak')

-- The newest addresses are remembered, under the tag of the first secret.
redis.call('ZADD', keys.known, now, call.address_tags[1])
if has_past then
    redis.call('ZREMRANGEBYSCORE', keys.known, '-inf', now - known_addresses.KEPT_FOR)
    redis.call('ZREMRANGEBYRANK', keys.known, 0, -1 - settings.known_addresses)
end
redis.call('PEXPIRE', keys.known, known_addresses.KEPT_FOR)
return { outcome = 'right', name = names.of_address(given_names, call.address_tags) }
