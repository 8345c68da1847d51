-- A log is a list of instants, newest first.
local log = {}

-- How long until fewer than `limit` of them lie within `window`.
function log.wait(instants, limit, window, now)
    local nth = limit > 0 and instants and instants[limit]
    return nth and math.max(0, nth + window - now) or 0
end

-- A part of a day's cap is the known addresses' own, with a log of its own. A cap of 1 has none.
function log.wait_in_own_part(logs, own_part, other_part, window, now)
    if own_part == 0 then
        return log.wait(logs.all, other_part, window, now)
    end
    return log.wait(logs.known, own_part, window, now)
end

-- The log with one more. The newest `keep` stay, and one that is past the window goes.
function log.note(instants, keep, window, now)
    if keep == 0 then
        return instants
    end
    instants = instants or {}
    table.insert(instants, 1, now)
    if #instants > keep or instants[#instants] <= now - window then
        instants[#instants] = nil
    end
    return instants
end

-- Takes one of that instant out; answers whether there was one.
function log.forget(instants, at)
    for i, instant in ipairs(instants or {}) do
        if instant == at then
            table.remove(instants, i)
            return true
        end
    end
    return false
end

function log.unpack(kept)
    return kept and cmsgpack.unpack(kept)
end

return log
