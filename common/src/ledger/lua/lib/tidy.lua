-- How long a number's record is kept, and what of it.
local tidy = {}

local HOUR, DAY = 3600000, 86400000

-- Takes away what is past, and answers how long the rest is of use (ms).
local function clear(record, now)
    local life = 0
    local function keep(entries, key, until_at)
        if until_at <= now then
            entries[key] = nil
        else
            life = math.max(life, until_at - now)
        end
    end
    for purpose, challenge in pairs(record[N.challenges]) do
        keep(record[N.challenges], purpose, challenge[C.expires_at] + 60000)
    end
    for tag, streak in pairs(record[N.streaks]) do
        keep(record[N.streaks], tag, streak[2] + cooldown.longest())
    end
    for name, instants in pairs(record[N.sends]) do
        keep(record[N.sends], name, (instants[1] or 0) + DAY)
    end
    for name, instants in pairs(record[N.wrong]) do
        keep(record[N.wrong], name, (instants[1] or 0) + DAY)
    end
    for address, instants in pairs(record[N.wrong_by_address]) do
        keep(record[N.wrong_by_address], address, (instants[1] or 0) + HOUR)
    end
    if record[N.blocked_until] and not block.until_at(record[N.blocked_until], now) then
        record[N.blocked_until] = false
    end
    return life
end

-- Keeps it as long as anything in it is of use.
function tidy.save(key, record, now)
    local life, blocked_until = clear(record, now), record[N.blocked_until]
    if blocked_until == 0 then
        redis.call('SET', key, cmsgpack.pack(record))
    elseif life > 0 or blocked_until then
        life = math.max(life, (blocked_until or now) - now)
        redis.call('SET', key, cmsgpack.pack(record), 'PX', math.ceil(life))
    else
        redis.call('DEL', key)
    end
end

return tidy
