#!lua flags=allow-oom
-- Tells what is known of a number, its deliveries as they are kept. Changes nothing. Instants and
-- durations are in ms.
local HOUR, DAY = 3600000, 86400000
local now = call.now
local record = number.load(keys.number)

local function count(logs)
    local hour, day = 0, 0
    for _, instants in ipairs({ logs.all or {}, logs.known or {} }) do
        for _, at in ipairs(instants) do
            hour = hour + (at > now - HOUR and 1 or 0)
            day = day + (at > now - DAY and 1 or 0)
        end
    end
    return { hour = hour, day = day }
end

local levels = {}
for i, key in ipairs({ keys.range, keys.country, keys.service }) do
    levels[i] = bucket.level(redis.call('GET', key), call.capacities[i], now)
end

local challenges, deliveries = {}, {}
for purpose, challenge in pairs(record[N.challenges]) do
    challenges[#challenges + 1] = {
        purpose = purpose, used = challenge[C.used] and true or false,
        expires_at = challenge[C.expires_at], guesses = challenge[C.guesses],
        known_guesses = challenge[C.known_guesses],
    }
    for _, id in ipairs(challenge[C.deliveries]) do
        deliveries[#deliveries + 1] = {
            id = id, record = redis.call('GET', settings.delivery_prefix .. id) or nil,
        }
    end
end

local streak = record[N.streaks].all or { 0, 0 }
local known_since = '(' .. now - known_addresses.KEPT_FOR
return {
    blocked_until = block.until_at(record[N.blocked_until], now) or nil,
    cooldown = math.max(0, streak[2] + cooldown.after(streak[1]) - now),
    sends = count(record[N.sends]), wrong_guesses = count(record[N.wrong]),
    known_addresses = redis.call('ZCOUNT', keys.known, known_since, '+inf'),
    history = redis.call('LRANGE', keys.history, 0, -1),
    levels = levels, challenges = challenges, deliveries = deliveries,
}
