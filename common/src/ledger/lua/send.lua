-- Asks for codes, for one number or for several at once: decides all limits, keeps a number's
-- challenge or makes a new one, and writes delivery and job with it. All or nothing: a refusal
-- writes nothing but of which number an address has been told. Of several limits the one with the
-- longest wait is answered.
local now = call.now
-- Redis takes numbers as text, and to make it of them costs.
local now_text = string.format('%.0f', now)

-- Who has means of their own where a limit refuses all others: nobody, the addresses that a number
-- is known from, or whoever asks for a number that signed in within 90 days.
local NOBODY, KNOWN, SIGNED_IN = 1, 2, 3

-- Of the caps of a day a part is the known addresses' own, and this is for all.
local sends_of_all = settings.sends_per_number_day - settings.sends_per_number_day_own
local guesses_of_all = settings.wrong_guesses_per_number_day
    - settings.wrong_guesses_per_number_day_own

-- How long an address is told of one number whether it is known: an hour.
local TOLD_FOR = 3600000

-- Several numbers may share a bucket, so each counts what those before it have charged.
local charged_levels = {}

-- Test numbers may ask without end, so only the newest deliveries of one are kept.
local MOST_OF_A_TEST_NUMBER = 10

local function newest_of_test_number(before, delivery_id)
    local ids = {}
    for id in string.gmatch(before or '', '%S+') do
        ids[#ids + 1] = id
    end
    ids[#ids + 1] = delivery_id
    if #ids > MOST_OF_A_TEST_NUMBER then
        redis.call('DEL', settings.delivery_prefix .. table.remove(ids, 1))
    end
    return table.concat(ids, ' ')
end

-- Decides about one number. Answers what writes the send, or false, the limit, its wait and whether
-- a solved challenge passes it.
local function decide(request)
    local key = request.keys
    -- One read of all that are single values.
    local kept = redis.call('MGET', key.address, key.network, key.range, key.country, key.service,
        key.blocked, key.wrong_by_network, key.told)
    if block.until_at(kept[6], now) then
        return false, 'blocked', 0
    end

    local old = redis.call('HMGET', key.challenge, 'id', 'used', 'expires_at', 'first_asked_at',
        'key_id', 'guesses', 'known_guesses', 'deliveries', 'names')
    local id, used, expires_at, first_asked_at = old[1], old[2], tonumber(old[3]), tonumber(old[4])
    local alive = id and not used and expires_at > now

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
    if alive and tonumber(old[6] or 0) >= settings.guesses_per_challenge then
        refuse('burned', expires_at - now, KNOWN)
    end
    -- A code is not sent where it would not be compared. Most numbers are new: that is asked once,
    -- for all that may be known of one.
    local has_past = redis.call('EXISTS', key.wrong, key.sends, key.wrong_by_address,
        key.wrong_by_both) > 0
    if has_past then
        refuse('wrong_guesses', log.wait(key.wrong_by_both, settings.wrong_guesses_per_hour,
            settings.wrong_guesses_per_hour_window, now), NOBODY)
        refuse('wrong_guesses', log.wait(key.wrong_by_address,
            settings.wrong_guesses_per_address_hour,
            settings.wrong_guesses_per_address_hour_window, now), KNOWN)
        refuse('wrong_guesses', log.wait(key.wrong, settings.wrong_guesses_per_number_hour,
            settings.wrong_guesses_per_number_hour_window, now), KNOWN)
        refuse('wrong_guesses', log.wait(key.wrong, guesses_of_all,
            settings.wrong_guesses_per_number_day_window, now), KNOWN)
    end
    local of_network = settings.wrong_guesses_per_network_hour
    if of_network > 0 then
        local level = bucket.level(kept[7], of_network, now)
        refuse('wrong_guesses', bucket.wait(level, of_network), KNOWN)
    end

    local function cooldown_of(own)
        local before = redis.call('HMGET', key.number, 'streak' .. own, 'last' .. own)
        local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)
        if last <= now - cooldown.longest() then
            streak = 0
        end
        if not (request.is_test or request.is_solved) and cooldown.after(streak) > 0 then
            refuse('cooldown', last + cooldown.after(streak) - now, KNOWN)
        end
        return streak, last
    end
    local own, streak, last = '', cooldown_of('')

    local buckets = {}
    if not request.is_test then
        if has_past then
            if not request.is_solved then
                refuse('number_hour', log.wait(key.sends, settings.sends_per_number_hour,
                    settings.sends_per_number_hour_window, now), KNOWN)
            end
            refuse('number_day', log.wait(key.sends, sends_of_all,
                settings.sends_per_number_day_window, now), KNOWN)
        end
        local function check(kind, name, kept_of_it, capacity, who, life)
            if capacity > 0 then
                local level, at = bucket.level(kept_of_it, capacity, now)
                level = charged_levels[name] or level
                local wait = bucket.wait(level, capacity)
                refuse(kind, wait, who)
                if wait == 0 then
                    buckets[#buckets + 1] = {
                        name, level + 1, at, life or bucket.life(level + 1, capacity),
                    }
                end
            end
        end
        check('address', key.address, kept[1], settings.sends_per_address_hour, NOBODY)
        check('network', key.network, kept[2], settings.sends_per_network_hour, NOBODY)
        check('range', key.range, kept[3], settings.sends_per_range_hour, SIGNED_IN)
        check('country', key.country, kept[4], request.country_capacity, SIGNED_IN,
            bucket.LONGEST_LIFE)
        check('service', key.service, kept[5], settings.sends_per_hour, NOBODY, bucket.LONGEST_LIFE)
    end

    -- What is not for all shows who is known. So it counts for one number an hour at each address:
    -- the first that needs it, known or not.
    local known, refusal_of_all, wait_of_all, solvable_of_all = false, refusal, longest, solvable
    if refusal and not passes[NOBODY] then
        local number_tag = request.address_tags[1]
        if not kept[8] then
            redis.call('SET', key.told, number_tag, 'PX', TOLD_FOR)
        end
        if not kept[8] or kept[8] == number_tag then
            known = passes[KNOWN] and known_addresses.find(key.known, request.address_tags, now)
            if known or not passes[KNOWN] and known_addresses.signed_in_lately(key.known, now) then
                refusal, longest = nil, 0
            end
        end
    end
    if known then
        own = ':' .. known
        if alive and tonumber(old[7] or 0) >= settings.guesses_per_challenge then
            refuse('burned', expires_at - now, NOBODY)
        end
        refuse('wrong_guesses', log.wait_in_own_part(key.wrong,
            settings.wrong_guesses_per_number_day_own, guesses_of_all,
            settings.wrong_guesses_per_number_day_window, now), NOBODY)
        if not request.is_test then
            -- Nobody gets two SMS at once, whoever asked for the first.
            if streak > 0 then
                refuse('cooldown', last + settings.cooldown - now, NOBODY)
            end
            streak = cooldown_of(own)
            refuse('number_hour', log.wait(key.sends .. own, settings.sends_per_number_hour,
                settings.sends_per_number_hour_window, now), NOBODY)
            refuse('number_day', log.wait_in_own_part(key.sends, settings.sends_per_number_day_own,
                sends_of_all, settings.sends_per_number_day_window, now), NOBODY)
        end
    end
    if refusal and wait_of_all < longest then
        refusal, longest = refusal_of_all, wait_of_all
    end
    if refusal then
        return false, refusal, longest, solvable_of_all
    end

    local charged = {}
    for _, one in ipairs(buckets) do
        charged_levels[one[1]] = one[2]
        charged[#charged + 1] = string.sub(one[1], #settings.bucket_prefix + 1)
    end
    return function()
        -- A late SMS stays good while a full life still ends within the longest that a code may
        -- live.
        local same_code = alive and now + settings.ttl <= first_asked_at + settings.longest_life
            and string.find(call.known_keys, old[5], 1, true)
        local given_names = names.add(same_code and old[9], request.address_tags, request.name)
        if not same_code then
            id = request.challenge_id
        end
        -- A Redis that is out of memory decides by the first write whether the script may go on. So
        -- this one takes memory.
        local sms = delivery.new()
        sms[D.status], sms[D.purpose] = request.is_test and 'sent' or 'queued', request.purpose
        sms[D.number], sms[D.challenge], sms[D.requested_at] = request.number, id, now
        sms[D.charged], sms[D.known_address] = #charged > 0 and charged, known or false
        delivery.save(key.delivery, sms,
            request.is_test and settings.ttl + 60000 or settings.keep_delivery)
        local deliveries = request.delivery_id
        if request.is_test then
            deliveries = newest_of_test_number(old[8], deliveries)
        elseif same_code then
            deliveries = old[8] .. ' ' .. deliveries
        end
        if same_code then
            redis.call('HSET', key.challenge, 'expires_at', now + settings.ttl,
                'names', given_names, 'deliveries', deliveries)
        else
            if old[1] then
                redis.call('DEL', key.challenge)
            end
            local sealed = string.sub(call.sealed, request.sealed_from, request.sealed_to)
            redis.call('HSET', key.challenge, 'id', id, 'first_asked_at', now_text,
                'expires_at', now + settings.ttl, 'key_id', request.key_id, 'sealed', sealed,
                'tag', redis.sha1hex(id .. request.tag), 'names', given_names,
                'deliveries', deliveries)
        end
        redis.call('PEXPIRE', key.challenge, settings.ttl + 60000)
        if request.is_test then
            return { expires_in = settings.ttl, resend_in = 0 }
        end

        for _, one in ipairs(buckets) do
            redis.call('SET', one[1], bucket.pack(one[2], one[3]), 'PX', one[4])
        end
        if known then
            log.note(key.sends .. own, settings.sends_per_number_hour,
                settings.sends_per_number_hour_window, now_text)
            log.note(key.sends .. ':known', settings.sends_per_number_day_own,
                settings.sends_per_number_day_window, now_text)
        else
            local most = math.max(settings.sends_per_number_hour, sends_of_all)
            log.note(key.sends, most, settings.sends_per_number_day_window, now_text)
        end
        redis.call('HSET', key.number, 'streak' .. own, streak + 1, 'last' .. own, now_text)
        redis.call('PEXPIRE', key.number, cooldown.longest())
        queue.enqueue(request.job_id, request.job)
        return { expires_in = settings.ttl, resend_in = cooldown.after(streak + 1) }
    end
end

local sends, refused = {}, nil
for i, request in ipairs(call.requests) do
    local send, refusal, wait, solvable = decide(request)
    if send then
        sends[i] = send
    elseif not refused or wait > refused.retry_after then
        refused = {
            outcome = 'refused', kind = refusal, retry_after = wait, index = i - 1,
            solvable = solvable or false,
        }
    end
end
if refused then
    return refused
end
for i, send in ipairs(sends) do
    sends[i] = send()
end
return { outcome = 'sent', sent = sends }
