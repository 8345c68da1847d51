-- Decides about a guess, without a look at Redis.
local decide_verify = {}

-- `state` has the number's record, `wrong_by_network` (a bucket), `wrong_by_address` (a log) and
-- `find_known`, which is asked where nothing else decides. Answers what the guess is: "right",
-- "wrong", or why it is not compared; whether the guesses that are for all were used up; and the
-- known address, where that was asked for.
function decide_verify.outcome(call, state, now)
    local record = state.number
    if block.until_at(record[N.blocked_until], now) then
        return 'blocked'
    end
    local wrong = record[N.wrong]
    local of_all = settings.wrong_guesses_per_number_day - settings.wrong_guesses_per_number_day_own
    if log.wait(record[N.wrong_by_address][call.address], settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now) > 0 then
        return 'closed'
    end
    local of_network = settings.wrong_guesses_per_network_hour
    local closed = of_network > 0
            and bucket.wait(bucket.level(state.wrong_by_network, of_network, now), of_network) > 0
        or log.wait(state.wrong_by_address, settings.wrong_guesses_per_address_hour,
            settings.wrong_guesses_per_address_hour_window, now) > 0
        or log.wait(wrong.all, settings.wrong_guesses_per_number_hour,
            settings.wrong_guesses_per_number_hour_window, now) > 0
        or log.wait(wrong.all, of_all, settings.wrong_guesses_per_number_day_window, now) > 0

    local challenge = record[N.challenges][call.purpose]
    local burned = challenge and challenge[C.guesses] >= settings.guesses_per_challenge
    -- Where strangers have used up what is for all, known addresses have guesses of their own. What
    -- is for all counts everybody's, so that nothing of it tells who is known.
    local known = (closed or burned) and state.find_known()
    if closed and not (known and log.wait_in_own_part(wrong,
        settings.wrong_guesses_per_number_day_own, of_all,
        settings.wrong_guesses_per_number_day_window, now) == 0) then
        return 'closed'
    end

    if not challenge or challenge[C.used] then
        return 'none', closed, known
    elseif challenge[C.expires_at] <= now then
        return 'expired', closed, known
    elseif burned and not (known and challenge[C.known_guesses] < settings.guesses_per_challenge)
    then
        return 'burned', closed, known
    end
    -- One for each secret in use.
    for _, tag in ipairs(call.guesses) do
        if tag.key_id == challenge[C.key_id]
            and redis.sha1hex(challenge[C.id] .. tag.tag) == challenge[C.tag] then
            return 'right', closed, known
        end
    end
    return 'wrong', closed, known
end

return decide_verify
