-- Put before all scripts of the ledger. ARGV[1] is now; instants and durations are in ms. Instants
-- that are only written stay the text that they came as, because Redis takes numbers as text and to
-- make it of them costs.
local HOUR, DAY, KNOWN_FOR = 3600000, 86400000, 90 * 86400000

-- A log is a list of instants, newest first. How long until fewer than `limit` of them lie within
-- `window`.
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

-- A part of a day's cap is the known addresses' own, with a log of its own. A cap of 1 has none.
local function wait_in_own_part(key, own_part, other_part, now)
    if own_part == 0 then
        return wait_in_log(key, other_part, DAY, now)
    end
    return wait_in_log(key .. ':known', own_part, DAY, now)
end

-- Until when an operator has blocked a number: an instant, 0 where that has no end, or false where
-- it is not blocked.
local function blocked_until(kept, now)
    local at = tonumber(kept or -1)
    return (at == 0 or at > now) and at
end

-- A day without a send starts the cooldown anew, or one cooldown where that is longer; so that is
-- the longest it grows to.
local function longest_cooldown()
    return math.max(DAY, settings.cooldown)
end

local function cooldown_after(sends)
    return sends > 0 and math.min(settings.cooldown * 2 ^ math.min(sends - 1, 20), longest_cooldown()) or 0
end

-- A leaky bucket is two doubles: so many sends, at that instant. It drains its capacity in an hour.
local function read_bucket(kept)
    if not kept then
        return 0, 0
    end
    return struct.unpack('dd', kept)
end

local function packed_bucket(level, at)
    return struct.pack('dd', level, at)
end

-- Its level now, and the instant of that. A process whose clock is behind another's does not turn
-- the bucket's back: the other would drain the same while again.
local function level_of(kept, capacity, now)
    local level, at = read_bucket(kept)
    return math.max(0, level - math.max(0, now - at) * capacity / HOUR), math.max(now, at)
end

-- How long until a bucket of this level takes one more. What is let pass here is more than the
-- error of what is kept.
local function wait_for_bucket(level, capacity)
    local too_much = level + 1 - capacity
    return too_much > 0.000000001 and math.ceil(too_much * HOUR / capacity) or 0
end

-- How long a bucket of this level is kept. Of buckets that are few it is not worth to be told:
-- those live as long as any.
local LONGEST_LIFE_OF_BUCKET = '3660000'
local function life_of_bucket(level, capacity)
    return math.ceil(level / capacity * HOUR) + 60000
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
