-- Tells what is known of a number. Changes nothing. KEYS: blocked, number, sends, known, wrong
-- guesses; the buckets of range, country and all; then the challenges ARGV, from the second: the
-- capacities of the three buckets Answers {blocked until (0 without end, -1 where it is not),
-- cooldown left, {sends in the hour, day, wrong guesses in the hour, day}, known addresses, levels
-- of the buckets, challenges, their deliveries}, all but the counts and levels in ms.
local now = tonumber(ARGV[1])
local blocked_key, number_key, sends_key, known_key, wrong_key = unpack(KEYS, 1, 5)

local function count_in_log(key, window)
    local count = 0
    for _, log in ipairs({ key, key .. ':known' }) do
        for _, at in ipairs(redis.call('LRANGE', log, 0, -1)) do
            count = count + (tonumber(at) > now - window and 1 or 0)
        end
    end
    return count
end

local before = redis.call('HMGET', number_key, 'streak', 'last')
local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)
local cooldown = math.max(0, last + cooldown_after(streak) - now)

local levels = {}
for i = 1, 3 do
    local level = level_of(redis.call('GET', KEYS[5 + i]), tonumber(ARGV[1 + i]), now)
    table.insert(levels, string.format('%.3f', level))
end

local challenges, deliveries = {}, {}
for i = 9, #KEYS do
    local found = redis.call('HMGET', KEYS[i], 'id', 'used', 'expires_at', 'guesses', 'known_guesses', 'deliveries')
    if found[1] then
        local expires_at = tonumber(found[3])
        table.insert(challenges, { i - 9, found[2] and 1 or 0, expires_at, tonumber(found[4] or 0), tonumber(found[5] or 0) })
        for id in string.gmatch(found[6], '%S+') do
            local delivery = redis.call('HMGET', settings.delivery_prefix .. id,
                'status', 'reason', 'requested_at', 'provider', 'tries')
            if delivery[1] then
                table.insert(deliveries, { id, delivery[1], delivery[2] or '', tonumber(delivery[3]), delivery[4] or '',
                    tonumber(delivery[5] or 0) })
            end
        end
    end
end

return { blocked_until(redis.call('GET', blocked_key), now) or -1, cooldown,
    { count_in_log(sends_key, HOUR), count_in_log(sends_key, DAY), count_in_log(wrong_key, HOUR), count_in_log(wrong_key, DAY) },
    redis.call('ZCOUNT', known_key, '(' .. now - KNOWN_FOR, '+inf'), levels, challenges, deliveries }
