-- Asks for codes, for one number or for several at once: decides all limits, keeps a number's
-- challenge or makes a new one, and writes delivery and job with it. All or nothing: a refusal
-- writes nothing but of which number an address has been told.
-- KEYS, for each number: challenge, delivery, number, sends, known, wrong guesses by number, by
-- address and by both; the buckets of address, network, range, country and all; blocked; the bucket
-- of the network's wrong guesses; what the address has been told
-- ARGV: now; then for each number 14 that `decide` names
-- Answers {"sent", expires in, resend in} for each number, or one {kind of limit, retry after, which
-- number from 0}; of several limits the one with the longest wait. Times are in ms.
local KEYS_EACH, ARGS_EACH = 16, 14
local now_text, now = ARGV[1], tonumber(ARGV[1])

-- Who has means of their own where a limit refuses all others: nobody, the addresses that a number
-- is known from, or whoever asks for a number that signed in within 90 days.
local NOBODY, KNOWN, SIGNED_IN = 1, 2, 3

-- Several numbers may share a bucket, so each counts what those before it have charged.
local charged_levels = {}

-- Decides about one number. Answers what writes the send, or false, the limit and its wait.
local function decide(keys, args)
    local challenge_key, delivery_key, number_key, sends_key, known_key = unpack(keys, 1, 5)
    local wrong_key, wrong_by_address_key, wrong_by_both_key = unpack(keys, 6, 8)
    local address_tags, purpose, number, name, country_capacity = unpack(args, 1, 5)
    local new_id, key_id, sealed, tag, known_keys, delivery_id, job_id, job = unpack(args, 6, 13)
    local is_test = args[14] == '1'

    -- One read of all that are single values.
    local kept = redis.call('MGET', unpack(keys, 9, 16))
    if blocked_until(kept[6], now) then
        return false, 'blocked', 0
    end

    local old = redis.call('HMGET', challenge_key, 'id', 'used', 'expires_at', 'first_asked_at', 'key_id', 'guesses',
        'known_guesses', 'deliveries', 'names')
    local id, used, expires_at, first_asked_at = old[1], old[2], tonumber(old[3]), tonumber(old[4])
    local alive = id and not used and expires_at > now

    local refusal, longest, passes = nil, 0, {}
    local function refuse(kind, wait, who)
        if wait > 0 then
            passes[who] = true
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
    local has_past = redis.call('EXISTS', wrong_key, sends_key, wrong_by_address_key, wrong_by_both_key) > 0
    if has_past then
        refuse('wrong_guesses', wait_in_log(wrong_by_both_key, settings.wrong_guesses_per_hour, HOUR, now), NOBODY)
        refuse('wrong_guesses', wait_in_log(wrong_by_address_key, settings.wrong_guesses_per_address_hour, HOUR, now), KNOWN)
        refuse('wrong_guesses', wait_in_log(wrong_key, settings.wrong_guesses_per_number_hour, HOUR, now), KNOWN)
        refuse('wrong_guesses', wait_in_log(wrong_key, settings.wrong_guesses_per_number_day, DAY, now), KNOWN)
    end
    if settings.wrong_guesses_per_network_hour > 0 then
        local level = level_of(kept[7], settings.wrong_guesses_per_network_hour, now)
        refuse('wrong_guesses', wait_for_bucket(level, settings.wrong_guesses_per_network_hour), KNOWN)
    end

    local function cooldown_of(own)
        local before = redis.call('HMGET', number_key, 'streak' .. own, 'last' .. own)
        local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)
        if last <= now - longest_cooldown() then
            streak = 0
        end
        if not is_test and cooldown_after(streak) > 0 then
            refuse('cooldown', last + cooldown_after(streak) - now, KNOWN)
        end
        return streak, last
    end
    local own, streak, last = '', cooldown_of('')

    local buckets = {}
    if not is_test then
        if has_past then
            refuse('number_hour', wait_in_log(sends_key, settings.sends_per_number_hour, HOUR, now), KNOWN)
            refuse('number_day', wait_in_log(sends_key, settings.sends_per_number_day, DAY, now), KNOWN)
        end
        local function check(kind, i, capacity, who, life)
            if capacity > 0 then
                local key = keys[8 + i]
                local level, at = level_of(kept[i], capacity, now)
                level = charged_levels[key] or level
                local wait = wait_for_bucket(level, capacity)
                refuse(kind, wait, who)
                if wait == 0 then
                    buckets[#buckets + 1] = { key, level + 1, at, life or life_of_bucket(level + 1, capacity) }
                end
            end
        end
        check('address', 1, settings.sends_per_address_hour, NOBODY)
        check('network', 2, settings.sends_per_network_hour, NOBODY)
        check('range', 3, settings.sends_per_range_hour, SIGNED_IN)
        check('country', 4, tonumber(country_capacity), SIGNED_IN, LONGEST_LIFE_OF_BUCKET)
        check('service', 5, settings.sends_per_hour, NOBODY, LONGEST_LIFE_OF_BUCKET)
    end

    -- What is not for all shows who is known. So it counts for one number an hour at each address:
    -- the first that needs it, known or not.
    local known, refusal_of_all, wait_of_all = false, refusal, longest
    if refusal and not passes[NOBODY] then
        local number_tag = string.match(address_tags, '%S+')
        if not kept[8] then
            redis.call('SET', keys[16], number_tag, 'PX', HOUR)
        end
        if not kept[8] or kept[8] == number_tag then
            known = passes[KNOWN] and known_address(known_key, address_tags, now)
            local signed_in = redis.call('ZREVRANGE', known_key, '0', '0', 'WITHSCORES')[2]
            if known or not passes[KNOWN] and signed_in and tonumber(signed_in) > now - KNOWN_FOR then
                refusal, longest = nil, 0
            end
        end
    end
    if known then
        own = ':' .. known
        if alive and tonumber(old[7] or 0) >= settings.guesses_per_challenge then
            refuse('burned', expires_at - now, NOBODY)
        end
        refuse('wrong_guesses', wait_in_own_part(wrong_key, settings.wrong_guesses_per_number_day_own,
            settings.wrong_guesses_per_number_day, now), NOBODY)
        if not is_test then
            -- Nobody gets two SMS at once, whoever asked for the first.
            if streak > 0 then
                refuse('cooldown', last + settings.cooldown - now, NOBODY)
            end
            streak = cooldown_of(own)
            refuse('number_hour', wait_in_log(sends_key .. own, settings.sends_per_number_hour, HOUR, now), NOBODY)
            refuse('number_day', wait_in_own_part(sends_key, settings.sends_per_number_day_own,
                settings.sends_per_number_day, now), NOBODY)
        end
    end
    if refusal and wait_of_all < longest then
        refusal, longest = refusal_of_all, wait_of_all
    end
    if refusal then
        return false, refusal, longest
    end

    local charged = {}
    for _, bucket in ipairs(buckets) do
        charged_levels[bucket[1]] = bucket[2]
        charged[#charged + 1] = string.sub(bucket[1], #settings.bucket_prefix + 1)
    end
    return function()
        -- A late SMS stays good while a full life still ends within the longest that a code may
        -- live.
        local same_code = alive and now + settings.ttl <= first_asked_at + settings.longest_life
            and string.find(known_keys, old[5], 1, true)
        local deliveries = delivery_id
        local names = with_name(same_code and old[9], address_tags, name)
        if not same_code then
            id = new_id
        end
        -- A Redis that is out of memory decides by the first write whether the script may go on. So
        -- this one takes memory.
        redis.call('HSET', delivery_key, 'status', is_test and 'sent' or 'queued', 'purpose', purpose, 'number', number,
            'challenge', id, 'requested_at', now_text, 'charged', table.concat(charged, ' '))
        redis.call('PEXPIRE', delivery_key, is_test and settings.ttl + 60000 or 'settings.keep_delivery')
        if same_code then
            -- Test numbers may ask without end; what they ask for costs nothing and is not given
            -- back.
            deliveries = is_test and delivery_id or old[8] .. ' ' .. delivery_id
            redis.call('HSET', challenge_key, 'expires_at', now + settings.ttl, 'names', names, 'deliveries', deliveries)
        else
            if old[1] then
                redis.call('DEL', challenge_key)
            end
            redis.call('HSET', challenge_key, 'id', id, 'first_asked_at', now_text, 'expires_at', now + settings.ttl,
                'key_id', key_id, 'sealed', sealed, 'tag', redis.sha1hex(id .. tag), 'names', names, 'deliveries', deliveries)
        end
        redis.call('PEXPIRE', challenge_key, settings.ttl + 60000)
        if is_test then
            return { 'sent', settings.ttl, 0 }
        end

        for _, bucket in ipairs(buckets) do
            redis.call('SET', bucket[1], packed_bucket(bucket[2], bucket[3]), 'PX', bucket[4])
        end
        if known then
            note_in_log(sends_key .. own, settings.sends_per_number_hour, HOUR, now_text)
            note_in_log(sends_key .. ':known', settings.sends_per_number_day_own, DAY, now_text)
            redis.call('HSET', delivery_key, 'known_address', known)
        else
            note_in_log(sends_key, math.max(settings.sends_per_number_hour, settings.sends_per_number_day), DAY, now_text)
        end
        redis.call('HSET', number_key, 'streak' .. own, streak + 1, 'last' .. own, now_text)
        redis.call('PEXPIRE', number_key, longest_cooldown())
        enqueue(job_id, job)
        return { 'sent', settings.ttl, cooldown_after(streak + 1) }
    end
end

local sends, refused = {}, nil
for i = 1, #KEYS / KEYS_EACH do
    local keys = { unpack(KEYS, (i - 1) * KEYS_EACH + 1, i * KEYS_EACH) }
    local args = { unpack(ARGV, (i - 1) * ARGS_EACH + 2, i * ARGS_EACH + 1) }
    local send, refusal, wait = decide(keys, args)
    if send then
        sends[i] = send
    elseif not refused or wait > refused[2] then
        refused = { refusal, wait, i - 1 }
    end
end
if refused then
    return { refused }
end
for i, send in ipairs(sends) do
    sends[i] = send()
end
return sends
