-- Keeps what an OpenID client asks for while its user signs in. Nobody has to be known for that, so
-- the newest requests are kept, of an address, of its network and of all: no flood fills Redis, and
-- one of a single network does not take the others' places.

-- A request's name is its key and those of the lists that have it.
local name = table.concat({ keys.request, keys.of_address, keys.of_network }, ' ')

local function forget(oldest)
    local request, of_address, of_network = string.match(oldest, '(%S+) (%S+) (%S+)')
    redis.call('DEL', request)
    for _, list in ipairs({ of_address, of_network, keys.all }) do
        redis.call('ZREM', list, oldest)
    end
end

local function add(list, most)
    redis.call('ZREMRANGEBYSCORE', list, '-inf', call.now - call.kept_for)
    redis.call('ZADD', list, call.now, name)
    for _, oldest in ipairs(redis.call('ZRANGE', list, 0, -1 - most)) do
        forget(oldest)
    end
    redis.call('PEXPIRE', list, call.kept_for)
end

redis.call('SET', keys.request, call.content, 'PX', call.kept_for)
add(keys.of_address, call.most_of_address)
add(keys.of_network, call.most_of_network)
add(keys.all, call.most)
return true
