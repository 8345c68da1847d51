#!lua flags=allow-oom
-- Tells what is known of a number, its deliveries as they are kept. Changes nothing. Instants and
-- durations are in ms.
local HOUR, DAY = 3600000, 86400000
local now = call.now

local function count_in_log(key)
    local hour, day = 0, 0
    for _, log in ipairs({ key, key .. ':known' }) do
        for _, text in ipairs(redis.call('LRANGE', log, 0, -1)) do
            local at = tonumber(text)
            hour = hour + (at > now - HOUR and 1 or 0)
            day = day + (at > now - DAY and 1 or 0)
        end
    end
    return { hour = hour, day = day }
end

local before = redis.call('HMGET', keys.number, 'streak', 'last')
local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)

local levels = {}
for i, key in ipairs({ keys.range, keys.country, keys.service }) do
    levels[i] = bucket.level(redis.call('GET', key), call.capacities[i], now)
end

local challenges, deliveries = {}, {}
for _, challenge in ipairs(call.challenges) do
    local found = redis.call('HMGET', challenge.key, 'id', 'used', 'expires_at', 'guesses',
        'known_guesses', 'deliveries')
    if found[1] then
        challenges[#challenges + 1] = {
            purpose = challenge.purpose, used = found[2] and true or false,
            expires_at = tonumber(found[3]), guesses = tonumber(found[4] or 0),
            known_guesses = tonumber(found[5] or 0),
        }
        for id in string.gmatch(found[6], '%S+') do
            deliveries[#deliveries + 1] = {
                id = id, record = redis.call('GET', settings.delivery_prefix .. id) or nil,
            }
        end
    end
end

local known_since = '(' .. now - known_addresses.KEPT_FOR
return {
    blocked_until = block.until_at(redis.call('GET', keys.blocked), now) or nil,
    cooldown = math.max(0, last + cooldown.after(streak) - now),
    sends = count_in_log(keys.sends), wrong_guesses = count_in_log(keys.wrong),
    known_addresses = redis.call('ZCOUNT', keys.known, known_since, '+inf'),
    levels = levels, challenges = challenges, deliveries = deliveries,
}
