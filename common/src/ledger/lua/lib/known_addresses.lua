-- The addresses from which a number signed in lately, by their tags.
local known_addresses = {}

known_addresses.KEPT_FOR = 90 * 86400000

-- The first of the client's tags that is one of them, or false.
function known_addresses.find(key, tags, now)
    for _, tag in ipairs(tags) do
        local at = redis.call('ZSCORE', key, tag)
        if at and tonumber(at) > now - known_addresses.KEPT_FOR then
            return tag
        end
    end
    return false
end

-- Whether the number signed in from any address within that time.
function known_addresses.signed_in_lately(key, now)
    local last = redis.call('ZREVRANGE', key, '0', '0', 'WITHSCORES')[2]
    return last and tonumber(last) > now - known_addresses.KEPT_FOR
end

return known_addresses
