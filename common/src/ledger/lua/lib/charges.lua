-- The buckets that a send was charged to.
local charges = {}

-- Gives a send back to them.
function charges.give_back(sms)
    local names = {}
    for i, part in ipairs(sms[D.charged] or {}) do
        names[i] = settings.bucket_prefix .. part
    end
    if #names > 0 then
        bucket.take_back(names)
    end
    sms[D.charged] = false
end

return charges
