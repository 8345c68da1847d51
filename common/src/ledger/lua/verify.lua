-- Compares a guess with the number's challenge, counts a wrong one, and uses the code up on a right
-- one. A client must not see why a guess is refused.
local now = call.now
local kept = redis.call('MGET', keys.number, keys.wrong_by_network, keys.wrong_by_address)
local record, wrong_by_address = number.unpack(kept[1]), log.unpack(kept[3])

local function find_known()
    return known_addresses.find(keys.known, call.address_tags, now)
end
local outcome, closed, known = decide_verify.outcome(call, {
    number = record, wrong_by_network = kept[2], wrong_by_address = wrong_by_address,
    find_known = find_known,
}, now)
if outcome == 'blocked' or outcome == 'closed' then
    happened.wrong_guess(now, call.number, outcome)
    return { outcome = 'refused', why = outcome }
end
local challenge = record[N.challenges][call.purpose]

if outcome == 'wrong' then
    challenge[C.guesses] = challenge[C.guesses] + 1
    if known or find_known() then
        challenge[C.known_guesses] = challenge[C.known_guesses] + 1
    end
    local by_address, wrong = record[N.wrong_by_address], record[N.wrong]
    by_address[call.address] = log.note(by_address[call.address], settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now)
    local of_own = settings.wrong_guesses_per_number_day_own
    if closed and of_own > 0 then
        wrong.known = log.note(wrong.known, of_own, settings.wrong_guesses_per_number_day_window,
            now)
    else
        local of_all = settings.wrong_guesses_per_number_day - of_own
        wrong.all = log.note(wrong.all, math.max(settings.wrong_guesses_per_number_hour, of_all),
            settings.wrong_guesses_per_number_day_window, now)
    end
    tidy.save(keys.number, record, now)
end
if outcome ~= 'right' then
    local of_address = settings.wrong_guesses_per_address_hour
    if of_address > 0 then
        local window = settings.wrong_guesses_per_address_hour_window
        wrong_by_address = log.note(wrong_by_address, of_address, window, now)
        redis.call('SET', keys.wrong_by_address, cmsgpack.pack(wrong_by_address), 'PX', window)
    end
    local of_network = settings.wrong_guesses_per_network_hour
    if of_network > 0 then
        local level, at = bucket.level(kept[2], of_network, now)
        if bucket.wait(level, of_network) == 0 then
            redis.call('SET', keys.wrong_by_network, bucket.pack(level + 1, at), 'PX',
                bucket.life(level + 1, of_network))
        end
    end
    happened.wrong_guess(now, call.number, outcome)
    return { outcome = 'refused', why = outcome }
end

challenge[C.used] = call.attempt
bucket.give_back(challenge[C.charged])
challenge[C.charged] = {}
-- The cooldown begins anew, for all and for this address.
record[N.streaks].all = nil
for _, tag in ipairs(call.address_tags) do
    record[N.streaks][tag] = nil
end
tidy.save(keys.number, record, now)

-- The newest addresses are remembered, under the tag of the first secret.
redis.call('ZADD', keys.known, now, call.address_tags[1])
if redis.call('ZCARD', keys.known) > 1 then
    redis.call('ZREMRANGEBYSCORE', keys.known, '-inf', now - known_addresses.KEPT_FOR)
    redis.call('ZREMRANGEBYRANK', keys.known, 0, -1 - settings.known_addresses)
end
redis.call('PEXPIRE', keys.known, known_addresses.KEPT_FOR)
happened.to_code(now, challenge, 'verified', 1)
return { outcome = 'right', name = names.of_address(challenge[C.names], call.address_tags) }
