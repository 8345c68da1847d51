-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right
-- one. A client must not see why a guess is refused.
local now = call.now

local kept = redis.call('MGET', keys.wrong_by_network, keys.blocked)
if block.until_at(kept[2], now) then
    return { outcome = 'refused', why = 'blocked' }
end

local of_all = settings.wrong_guesses_per_number_day - settings.wrong_guesses_per_number_day_own
local of_network = settings.wrong_guesses_per_network_hour
local level_of_network, at = bucket.level(kept[1], math.max(of_network, 1), now)
local network_is_full = of_network > 0 and bucket.wait(level_of_network, of_network) > 0

-- Most numbers are new, and most guesses are right: that is asked once, for all that may be known.
local has_past = redis.call('EXISTS', keys.known, keys.wrong_by_address, keys.wrong_by_number,
    keys.wrong_by_both) > 0
local closed = network_is_full
if has_past then
    if log.wait(keys.wrong_by_both, settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now) > 0 then
        return { outcome = 'refused', why = 'closed' }
    end
    closed = closed
        or log.wait(keys.wrong_by_address, settings.wrong_guesses_per_address_hour,
            settings.wrong_guesses_per_address_hour_window, now) > 0
        or log.wait(keys.wrong_by_number, settings.wrong_guesses_per_number_hour,
            settings.wrong_guesses_per_number_hour_window, now) > 0
        or log.wait(keys.wrong_by_number, of_all,
            settings.wrong_guesses_per_number_day_window, now) > 0
end

local found = redis.call('HMGET', keys.challenge, 'id', 'used', 'expires_at', 'key_id', 'tag',
    'names', 'guesses', 'known_guesses', 'deliveries')
local id, used, expires_at, key_id, expected, given_names = unpack(found, 1, 6)
local burned = id and tonumber(found[7] or 0) >= settings.guesses_per_challenge

-- Where strangers have used up what is for all, known addresses have guesses of their own. What is
-- for all counts everybody's, so that nothing of it tells who is known.
local known = (closed or burned)
    and known_addresses.find(keys.known, call.address_tags, now)
if closed and not (known and log.wait_in_own_part(keys.wrong_by_number,
    settings.wrong_guesses_per_number_day_own, of_all,
    settings.wrong_guesses_per_number_day_window, now) == 0) then
    return { outcome = 'refused', why = 'closed' }
end

local function not_right(why)
    log.note(keys.wrong_by_address, settings.wrong_guesses_per_address_hour,
        settings.wrong_guesses_per_address_hour_window, now)
    if of_network > 0 and not network_is_full then
        redis.call('SET', keys.wrong_by_network, bucket.pack(level_of_network + 1, at),
            'PX', bucket.life(level_of_network + 1, of_network))
    end
    return { outcome = 'refused', why = why }
end

if not id or used then
    return not_right('none')
elseif tonumber(expires_at) <= now then
    return not_right('expired')
elseif burned and not (known and tonumber(found[8] or 0) < settings.guesses_per_challenge) then
    return not_right('burned')
end

-- One for each secret in use.
local right = false
for _, guess in ipairs(call.guesses) do
    right = right or guess.key_id == key_id and redis.sha1hex(id .. guess.tag) == expected
end
if not right then
    redis.call('HINCRBY', keys.challenge, 'guesses', 1)
    if known or known_addresses.find(keys.known, call.address_tags, now) then
        redis.call('HINCRBY', keys.challenge, 'known_guesses', 1)
    end
    log.note(keys.wrong_by_both, settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now)
    if closed and settings.wrong_guesses_per_number_day_own > 0 then
        log.note(keys.wrong_by_number .. ':known', settings.wrong_guesses_per_number_day_own,
            settings.wrong_guesses_per_number_day_window, now)
    else
        log.note(keys.wrong_by_number, math.max(settings.wrong_guesses_per_number_hour, of_all),
            settings.wrong_guesses_per_number_day_window, now)
    end
    return not_right('wrong')
end

redis.call('HSET', keys.challenge, 'used', call.attempt)
for delivery_id in string.gmatch(found[9], '%S+') do
    local key = settings.delivery_prefix .. delivery_id
    local sms = delivery.load(key)
    if sms and sms[D.charged] then
        charges.give_back(sms)
        delivery.save(key, sms)
    end
end
local streaks = { 'streak' }
for i, tag in ipairs(call.address_tags) do
    streaks[i + 1] = 'streak:' .. tag
end
redis.call('HDEL', keys.number, unpack(streaks))

-- The newest addresses are remembered, under the tag of the first secret.
redis.call('ZADD', keys.known, now, call.address_tags[1])
if has_past then
    redis.call('ZREMRANGEBYSCORE', keys.known, '-inf', now - known_addresses.KEPT_FOR)
    redis.call('ZREMRANGEBYRANK', keys.known, 0, -1 - settings.known_addresses)
end
redis.call('PEXPIRE', keys.known, known_addresses.KEPT_FOR)
return { outcome = 'right', name = names.of_address(given_names, call.address_tags) }
