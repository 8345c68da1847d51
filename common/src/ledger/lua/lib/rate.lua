-- Calls a second to one provider, over all workers, where that has a bound. Fields of the hash:
-- `line`, the first slot that nobody has; `call`, the earliest instant of the next call.
local rate = {}

local GAP = 1000 / settings.provider_rate

local function set(key, field, value, now)
    redis.call('HSET', key, field, value)
    if redis.call('PTTL', key) < value - now + 1000 then
        redis.call('PEXPIRE', key, math.ceil(value - now) + 1000)
    end
end

-- A place in line, in the order of asking, or nil where it would come after `last`: whoever comes
-- after the end of their code would only stand in the way of the others.
function rate.take_slot(key, now, last)
    local slot = math.max(tonumber(redis.call('HGET', key, 'line') or 0), now)
    if slot > last then
        return nil
    end
    set(key, 'line', slot + GAP, now)
    return slot
end

-- When the call of who has that slot begins, or nil where it is not yet its turn. Calls keep their
-- distance also where many come too late for their slots.
function rate.next_call(key, slot, now)
    local at = math.max(tonumber(redis.call('HGET', key, 'call') or 0), slot, now)
    if at > now + settings.hold then
        return nil
    end
    set(key, 'call', at + GAP, now)
    return math.floor(at)
end

return rate
