-- The record of a number. All in it that is kept by name or address is a table.
local number = {}

-- A number that nothing is known of has an empty one. A version that knew fewer fields wrote fewer.
function number.unpack(kept)
    local record = kept and cmsgpack.unpack(kept) or N.NEW
    for i = N.challenges, N.SIZE do
        record[i] = record[i] or {}
    end
    return record
end

function number.load(key)
    return number.unpack(redis.call('GET', key))
end

-- Keeps it as long as before.
function number.put(key, record)
    redis.call('SET', key, cmsgpack.pack(record), 'KEEPTTL')
end

return number
