-- Forgets what keeps a number from asking and guessing. A code that is burned is gone; one that is
-- not stays. KEYS: number, sends, known, wrong guesses; so many challenges; then the wrong guesses
-- at the number by address ARGV, from the second: how many challenges Answers {1 if there was a
-- cooldown, sends, wrong guesses, burned challenges}.
local number_key, sends_key, known_key, wrong_key = unpack(KEYS, 1, 4)
local last_challenge = 4 + tonumber(ARGV[2])

local sends = redis.call('LLEN', sends_key) + redis.call('LLEN', sends_key .. ':known')
local wrong = redis.call('LLEN', wrong_key) + redis.call('LLEN', wrong_key .. ':known')
for _, tag in ipairs(redis.call('ZRANGE', known_key, 0, -1)) do
    redis.call('DEL', sends_key .. ':' .. tag)
end
local cooldown = redis.call('DEL', number_key)
redis.call('DEL', sends_key, sends_key .. ':known', wrong_key, wrong_key .. ':known')

local burned = 0
for i = 5, last_challenge do
    local guesses = redis.call('HMGET', KEYS[i], 'guesses', 'known_guesses')
    local most = math.max(tonumber(guesses[1] or 0), tonumber(guesses[2] or 0))
    if most >= settings.guesses_per_challenge then
        burned = burned + redis.call('DEL', KEYS[i])
    end
end
for i = last_challenge + 1, #KEYS do
    redis.call('DEL', KEYS[i])
end
return { cooldown, sends, wrong, burned }
