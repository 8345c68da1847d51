-- A log is a list of instants, newest first.
local log = {}

-- How long until fewer than `limit` of them lie within `window`.
function log.wait(key, limit, window, now)
    local nth = limit > 0 and redis.call('LINDEX', key, limit - 1)
    return nth and math.max(0, tonumber(nth) + window - now) or 0
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
