-- Decides about a send, without a look at Redis.
local decide_send = {}

-- Who has means of their own where a limit refuses all others: nobody, the addresses that a number
-- is known from, or whoever asks for a number that signed in within 90 days.
local NOBODY, KNOWN, SIGNED_IN = 1, 2, 3
-- Stands for the address of who is signed in where the number does not know it.
local OWNER = 'owner'

-- `state` has the number's record, the `buckets` that the send may be charged to, each with its
-- kind, key, what is kept of it and its capacity, `wrong_by_network` (a bucket),
-- `wrong_by_address` (a log) and `told` (the tag of a number, or false); `find_known` and
-- `signed_in_lately` are asked where nothing else decides. Answers what refuses the send, its wait
-- and whether a solved challenge passes it; or false, and then a table of the known address that
-- asked, its streak, and the buckets with one send more. Last, whether the answer tells whether the
-- number knows the address.
function decide_send.refusal(request, state, now)
    local record = state.number
    if block.until_at(record[N.blocked_until], now) then
        return { kind = 'blocked', retry_after = 0, solvable = false }
    end
    local challenge = record[N.challenges][request.purpose]
    local alive = challenge and not challenge[C.used] and challenge[C.expires_at] > now
    local sends, wrong = record[N.sends], record[N.wrong]
    -- Of the caps of a day a part is the known addresses' own, and this is for all.
    local sends_of_all = settings.sends_per_number_day - settings.sends_per_number_day_own
    local guesses_of_all = settings.wrong_guesses_per_number_day
        - settings.wrong_guesses_per_number_day_own

    -- Whoever solves a challenge passes the cooldown and the hour that are for all.
    local refusal, longest, passes, solvable = nil, 0, {}, request.may_solve
    local function refuse(kind, wait, who)
        if wait > 0 then
            passes[who] = true
            solvable = solvable and (kind == 'cooldown' or kind == 'number_hour')
        end
        if wait > longest then
            refusal, longest = kind, wait
        end
    end

    -- What is for all comes first, whoever asks, so that nothing of it tells who is known.
    if alive and challenge[C.guesses] >= settings.guesses_per_challenge then
        refuse('burned', challenge[C.expires_at] - now, KNOWN)
    end
    -- A code is not sent where it would not be compared.
    refuse('wrong_guesses', log.wait(record[N.wrong_by_address][request.address],
        settings.wrong_guesses_per_hour, settings.wrong_guesses_per_hour_window, now), NOBODY)
    refuse('wrong_guesses', log.wait(state.wrong_by_address,
        settings.wrong_guesses_per_address_hour, settings.wrong_guesses_per_address_hour_window,
        now), KNOWN)
    refuse('wrong_guesses', log.wait(wrong.all, settings.wrong_guesses_per_number_hour,
        settings.wrong_guesses_per_number_hour_window, now), KNOWN)
    refuse('wrong_guesses', log.wait(wrong.all, guesses_of_all,
        settings.wrong_guesses_per_number_day_window, now), KNOWN)
    local of_network = settings.wrong_guesses_per_network_hour
    if of_network > 0 then
        local level = bucket.level(state.wrong_by_network, of_network, now)
        refuse('wrong_guesses', bucket.wait(level, of_network), KNOWN)
    end

    local function cooldown_of(who)
        local before = record[N.streaks][who]
        local streak, last = 0, 0
        if before and before[2] > now - cooldown.longest() then
            streak, last = before[1], before[2]
        end
        if not (request.is_test or request.is_solved) and cooldown.after(streak) > 0 then
            refuse('cooldown', last + cooldown.after(streak) - now, KNOWN)
        end
        return streak, last
    end
    local streak, last = cooldown_of('all')

    local charged = {}
    if not request.is_test then
        if not request.is_solved then
            refuse('number_hour', log.wait(sends.all, settings.sends_per_number_hour,
                settings.sends_per_number_hour_window, now), KNOWN)
        end
        refuse('number_day', log.wait(sends.all, sends_of_all,
            settings.sends_per_number_day_window, now), KNOWN)
        local function check(kind, key, kept, capacity, who, life)
            if capacity > 0 then
                local level, at = bucket.level(kept, capacity, now)
                level = state.charged_levels[key] or level
                local wait = bucket.wait(level, capacity)
                refuse(kind, wait, who)
                if wait == 0 then
                    charged[#charged + 1] = {
                        key, level + 1, at, life or bucket.life(level + 1, capacity),
                    }
                end
            end
        end
        local key = request.keys
        check('address', key.address, state.address, settings.sends_per_address_hour, NOBODY)
        check('network', key.network, state.network, settings.sends_per_network_hour, NOBODY)
        check('range', key.range, state.range, settings.sends_per_range_hour, SIGNED_IN)
        check('country', key.country, state.country, request.country_capacity, SIGNED_IN,
            bucket.LONGEST_LIFE)
        check('service', key.service, state.service, settings.sends_per_hour, NOBODY,
            bucket.LONGEST_LIFE)
    end

    -- What is not for all shows who is known. So it counts for one number an hour at each address:
    -- the first that needs it, known or not.
    local known, tells = false, false
    local refusal_of_all, wait_of_all, solvable_of_all = refusal, longest, solvable
    if refusal and not passes[NOBODY] and request.is_owner then
        -- Whoever has a token of the account is its owner, at whatever address.
        known = passes[KNOWN] and (state.find_known() or OWNER)
        refusal, longest = nil, 0
    elseif refusal and not passes[NOBODY] then
        tells = not state.told
        if tells or state.told == request.address_tags[1] then
            known = passes[KNOWN] and state.find_known()
            if known or not passes[KNOWN] and state.signed_in_lately() then
                refusal, longest = nil, 0
            end
        end
    end
    if known then
        if alive and challenge[C.known_guesses] >= settings.guesses_per_challenge then
            refuse('burned', challenge[C.expires_at] - now, NOBODY)
        end
        refuse('wrong_guesses', log.wait_in_own_part(wrong,
            settings.wrong_guesses_per_number_day_own, guesses_of_all,
            settings.wrong_guesses_per_number_day_window, now), NOBODY)
        if not request.is_test then
            -- Nobody gets two SMS at once, whoever asked for the first.
            if streak > 0 then
                refuse('cooldown', last + settings.cooldown - now, NOBODY)
            end
            streak = cooldown_of(known)
            refuse('number_hour', log.wait(sends[known], settings.sends_per_number_hour,
                settings.sends_per_number_hour_window, now), NOBODY)
            refuse('number_day', log.wait_in_own_part(sends, settings.sends_per_number_day_own,
                sends_of_all, settings.sends_per_number_day_window, now), NOBODY)
        end
    end
    if refusal and wait_of_all < longest then
        refusal, longest = refusal_of_all, wait_of_all
    end
    if refusal then
        local told = { kind = refusal, retry_after = longest, solvable = solvable_of_all or false }
        return told, nil, tells
    end
    return false, { known = known, streak = streak, charged = charged }, tells
end

return decide_send
