-- That an operator has blocked a number.
local block = {}

-- Until when: an instant, 0 where that has no end, or false where it is not blocked.
function block.until_at(kept, now)
    return kept and (kept == 0 or kept > now) and kept
end

return block
