-- Put before all scripts of the ledger. ARGV[1] is now, ARGV[2] the settings; instants and durations are in ms.
local settings = cjson.decode(ARGV[2])
local HOUR, DAY, KNOWN_FOR = 3600000, 86400000, 90 * 86400000

-- A log is a list of instants, newest first. How long until fewer than `limit` of them lie within `window`.
local function wait_in_log(key, limit, window, now)
    local nth = limit > 0 and redis.call('LINDEX', key, limit - 1)
    return nth and math.max(0, tonumber(nth) + window - now) or 0
end

-- Notes an instant, keeps the newest `keep`, and lets one go that is past the window.
local function note_in_log(key, keep, window, now)
    if keep == 0 then
        return
    end
    if redis.call('LPUSH', key, now) > 1 then
        redis.call('LTRIM', key, 0, keep - 1)
        if tonumber(redis.call('LINDEX', key, -1)) <= now - window then
            redis.call('RPOP', key)
        end
    end
    redis.call('PEXPIRE', key, window)
end

-- Until when an operator has blocked a number: an instant, 0 where that has no end, or false where it is not blocked.
local function blocked_until(kept, now)
    local at = tonumber(kept or -1)
    return (at == 0 or at > now) and at
end

-- A day without a send starts the cooldown anew, or one cooldown where that is longer; so that is the longest it grows to.
local function longest_cooldown()
    return math.max(DAY, settings.cooldown)
end

local function cooldown_after(sends)
    return sends > 0 and math.min(settings.cooldown * 2 ^ math.min(sends - 1, 20), longest_cooldown()) or 0
end

-- A leaky bucket is "<level> <at>": so many sends at that instant. It drains its capacity in an hour.
local function read_bucket(kept)
    local level, at = string.match(kept or '0 0', '^(%S+) (%S+)$')
    return tonumber(level), tonumber(at)
end

-- Its level now, and the instant of that. A process whose clock is behind another's does not turn the bucket's back: the
-- other would drain the same while again.
local function level_of(kept, capacity, now)
    local level, at = read_bucket(kept)
    return math.max(0, level - math.max(0, now - at) * capacity / HOUR), math.max(now, at)
end

-- How long until a bucket of this level takes one more. What is kept of a level is exact to half of what is let pass here.
local function wait_for_bucket(level, capacity)
    local too_much = level + 1 - capacity
    return too_much > 0.000000001 and math.ceil(too_much * HOUR / capacity) or 0
end

local function fill_bucket(key, capacity, level, at)
    local drained_in = math.ceil(level / capacity * HOUR)
    redis.call('SET', key, string.format('%.9f %d', level, at), 'PX', drained_in + 60000)
end

-- Gives a send back to the buckets that it was charged to. Taking one off a level needs no capacity: it drains alike.
local function give_back(delivery_key)
    local charged = redis.call('HGET', delivery_key, 'charged')
    for part in string.gmatch(charged or '', '%S+') do
        local key = settings.bucket_prefix .. part
        local level, at = read_bucket(redis.call('GET', key))
        if level > 1 then
            redis.call('SET', key, string.format('%.9f %d', level - 1, at), 'KEEPTTL')
        else
            redis.call('DEL', key)
        end
    end
    redis.call('HDEL', delivery_key, 'charged')
end

-- A send that the provider never accepted: neither the buckets nor the number's hour and day keep it.
local function undo_send(delivery_key)
    local send = redis.call('HMGET', delivery_key, 'number', 'requested_at', 'known_address', 'charged')
    if not send[4] then
        return
    end
    give_back(delivery_key)
    redis.call('LREM', settings.sends_prefix .. send[1], 1, send[2])
    if send[3] then
        redis.call('LREM', settings.sends_prefix .. send[1] .. ':' .. send[3], 1, send[2])
    end
end

-- The first of the client's address tags from which the number signed in within 90 days, or false.
local function known_address(known_key, address_tags, now)
    for tag in string.gmatch(address_tags, '%S+') do
        local at = redis.call('ZSCORE', known_key, tag)
        if at and tonumber(at) > now - KNOWN_FOR then
            return tag
        end
    end
    return false
end
