-- The pause after a send, which doubles with each until the number signs in.
local cooldown = {}

-- A day without a send starts the cooldown anew, or one cooldown where that is longer; so that is
-- the longest it grows to.
function cooldown.longest()
    return math.max(settings.send_cooldown_seconds_window, settings.cooldown)
end

function cooldown.after(sends)
    if sends <= 0 then
        return 0
    end
    return math.min(settings.cooldown * 2 ^ math.min(sends - 1, 20), cooldown.longest())
end

return cooldown
