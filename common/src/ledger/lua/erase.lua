#!lua flags=allow-oom
-- Forgets all that is known of a number, but what guards against abuse: a block, when it was sent
-- to, and when it was guessed at. Answers how many codes and known addresses there were.
local record = number.load(keys.number)
local codes = 0
for _, challenge in pairs(record[N.challenges]) do
    codes = codes + 1
    for _, id in ipairs(challenge[C.deliveries]) do
        redis.call('DEL', settings.delivery_prefix .. id)
    end
end
record[N.challenges] = {}
tidy.save(keys.number, record, call.now)
-- SMS of codes that have ended before.
for _, entry in ipairs(redis.call('LRANGE', keys.history, 0, -1)) do
    local id = cmsgpack.unpack(entry)[3]
    if id ~= '' then
        redis.call('DEL', settings.delivery_prefix .. id)
    end
end
local addresses = redis.call('ZCARD', keys.known)
redis.call('DEL', keys.known, keys.history)
return { codes = codes, known_addresses = addresses }
