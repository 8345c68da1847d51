-- Put behind limits.lua, before the scripts that take a send back.

-- Gives a send back to the buckets that it was charged to. Taking one off a level needs no capacity: it drains alike.
local function give_back(delivery_key)
    local charged = redis.call('HGET', delivery_key, 'charged')
    for part in string.gmatch(charged or '', '%S+') do
        local key = settings.bucket_prefix .. part
        local level, at = read_bucket(redis.call('GET', key))
        if level > 1 then
            redis.call('SET', key, packed_bucket(level - 1, at), 'KEEPTTL')
        else
            redis.call('DEL', key)
        end
    end
    redis.call('HDEL', delivery_key, 'charged')
end
