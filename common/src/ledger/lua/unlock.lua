#!lua flags=allow-oom
-- Forgets what keeps a number from asking and guessing. A code that is burned is gone; one that is
-- not stays. Answers what there was.
local sends = redis.call('LLEN', keys.sends) + redis.call('LLEN', keys.sends .. ':known')
local wrong = redis.call('LLEN', keys.wrong) + redis.call('LLEN', keys.wrong .. ':known')
for _, tag in ipairs(redis.call('ZRANGE', keys.known, 0, -1)) do
    redis.call('DEL', keys.sends .. ':' .. tag)
end
local had_cooldown = redis.call('DEL', keys.number) == 1
redis.call('DEL', keys.sends, keys.sends .. ':known', keys.wrong, keys.wrong .. ':known')

local burned = 0
for _, challenge in ipairs(call.challenges) do
    local guesses = redis.call('HMGET', challenge, 'guesses', 'known_guesses')
    local most = math.max(tonumber(guesses[1] or 0), tonumber(guesses[2] or 0))
    if most >= settings.guesses_per_challenge then
        burned = burned + redis.call('DEL', challenge)
    end
end
for _, log_of_address in ipairs(call.wrong_by_address) do
    redis.call('DEL', log_of_address)
end
return { cooldown = had_cooldown, sends = sends, wrong_guesses = wrong, burned_codes = burned }
