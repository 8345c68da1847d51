-- That an operator has blocked a number.
local block = {}

-- Until when: an instant, 0 where that has no end, or false where it is not blocked.
function block.until_at(kept, now)
    local at = tonumber(kept or -1)
    return (at == 0 or at > now) and at
end

return block
