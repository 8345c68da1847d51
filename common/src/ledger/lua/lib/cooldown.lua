-- The pause after a send, which doubles with each until the number signs in.
local cooldown = {}

local DAY = 86400000

-- A day without a send starts the cooldown anew, or one cooldown where that is longer; so that is
-- the longest it grows to.
function cooldown.longest()
    return math.max(DAY, settings.cooldown)
end

function cooldown.after(sends)
    if sends <= 0 then
        return 0
    end
    return math.min(settings.cooldown * 2 ^ math.min(sends - 1, 20), cooldown.longest())
end

return cooldown
