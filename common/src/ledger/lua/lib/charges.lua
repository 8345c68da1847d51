-- The buckets that a send was charged to.
local charges = {}

-- Gives a send back to them, but to one of them where that is named.
function charges.give_back(sms, but)
    local names = {}
    for _, part in ipairs(sms[D.charged] or {}) do
        if part ~= but then
            names[#names + 1] = settings.bucket_prefix .. part
        end
    end
    if #names > 0 then
        bucket.take_back(names)
    end
    sms[D.charged] = false
end

return charges
