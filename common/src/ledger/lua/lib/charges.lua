-- The buckets that a send was charged to.
local charges = {}

-- Gives a send back to them, but to one of them where that is named.
function charges.give_back(delivery_key, but)
    local names = {}
    for part in string.gmatch(redis.call('HGET', delivery_key, 'charged') or '', '%S+') do
        if part ~= but then
            names[#names + 1] = settings.bucket_prefix .. part
        end
    end
    if #names > 0 then
        bucket.take_back(names)
        redis.call('HDEL', delivery_key, 'charged')
    end
end

return charges
