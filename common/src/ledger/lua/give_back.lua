-- Put behind limits.lua, before the scripts that take a send back.

-- Gives a send back to the buckets that it was charged to. Taking one off a level needs no
-- capacity: it drains alike.
local function give_back(delivery_key)
    local keys = {}
    for part in string.gmatch(redis.call('HGET', delivery_key, 'charged') or '', '%S+') do
        keys[#keys + 1] = settings.bucket_prefix .. part
    end
    if #keys == 0 then
        return
    end
    for i, kept in ipairs(redis.call('MGET', unpack(keys))) do
        local key = keys[i]
        local level, at = read_bucket(kept)
        if level > 1 then
            redis.call('SET', key, packed_bucket(level - 1, at), 'KEEPTTL')
        else
            redis.call('DEL', key)
        end
    end
    redis.call('HDEL', delivery_key, 'charged')
end
