-- A log is a list of instants, newest first.
local log = {}

-- How long until fewer than `limit` of them lie within `window`.
function log.wait(key, limit, window, now)
    local nth = limit > 0 and redis.call('LINDEX', key, limit - 1)
    return nth and math.max(0, tonumber(nth) + window - now) or 0
end

-- A part of a day's cap is the known addresses' own, with a log of its own. A cap of 1 has none.
function log.wait_in_own_part(key, own_part, other_part, window, now)
    if own_part == 0 then
        return log.wait(key, other_part, window, now)
    end
    return log.wait(key .. ':known', own_part, window, now)
end

-- Notes an instant, keeps the newest `keep`, and lets one go that is past the window. The instant
-- may be text.
function log.note(key, keep, window, now)
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

return log
