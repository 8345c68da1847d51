-- Asks for a code: decides all limits, keeps the number's challenge or makes a new one, and writes
-- delivery and job with it. All or nothing: a refusal writes nothing. KEYS: challenge, delivery,
-- number, sends, known, wrong guesses; the buckets of address, range, country and all; blocked; wrong
-- guesses by address and by both
-- Answers {"sent", expires in, resend in} or {kind of limit, retry after, 0}, in ms.
local challenge_key, delivery_key, number_key, sends_key, known_key, wrong_key = unpack(KEYS, 1, 6)
local wrong_by_address_key, wrong_by_both_key = KEYS[12], KEYS[13]
local now_text, address_tags, purpose, number, name, country_capacity = unpack(ARGV, 1, 6)
local new_id, key_id, sealed, tag, known_keys, delivery_id, job_id, job = unpack(ARGV, 7, 14)
local now, is_test = tonumber(now_text), ARGV[15] == '1'

-- One read of all that are single values.
local kept = redis.call('MGET', unpack(KEYS, 7, 11))
if blocked_until(kept[5], now) then
    return { 'blocked', 0, 0 }
end

-- Strangers and each address that the number signed in from have allowances of their own; the day's
-- caps are for all. Most numbers are new: that is asked once, for all that may be known of one.
local has_past = redis.call('EXISTS', known_key, wrong_key, sends_key, wrong_by_address_key, wrong_by_both_key) > 0
local last_signed_in = has_past and redis.call('ZREVRANGE', known_key, '0', '0', 'WITHSCORES')[2]
local known = last_signed_in and known_address(known_key, address_tags, now)
local own = known and ':' .. known or ''

local old = redis.call('HMGET', challenge_key, 'id', 'used', 'expires_at', 'first_asked_at', 'key_id',
    known and 'known_guesses' or 'guesses', 'deliveries', 'names')
local id, used, expires_at, first_asked_at, guesses = old[1], old[2], tonumber(old[3]), tonumber(old[4]), tonumber(old[6] or 0)
local alive = id and not used and expires_at > now

local refusal, longest = nil, 0
local function refuse(kind, wait)
    if wait > longest then
        refusal, longest = kind, wait
    end
end

if alive and guesses >= settings.guesses_per_challenge then
    refuse('burned', expires_at - now)
end
if has_past then
    -- A code is not sent where it would not be compared.
    refuse('wrong_guesses', wait_in_log(wrong_by_both_key, settings.wrong_guesses_per_hour, HOUR, now))
    refuse('wrong_guesses', wait_in_log(wrong_key, settings.wrong_guesses_per_number_day, DAY, now))
    if not known then
        refuse('wrong_guesses', wait_in_log(wrong_by_address_key, settings.wrong_guesses_per_address_hour, HOUR, now))
        refuse('wrong_guesses', wait_in_log(wrong_key, settings.wrong_guesses_per_number_hour, HOUR, now))
    end
end

local before = redis.call('HMGET', number_key, 'streak' .. own, 'last' .. own)
local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)
if last <= now - longest_cooldown() then
    streak = 0
end

local buckets, charged = {}, {}
if not is_test then
    if cooldown_after(streak) > 0 then
        refuse('cooldown', last + cooldown_after(streak) - now)
    end
    if has_past then
        refuse('number_hour', wait_in_log(sends_key .. own, settings.sends_per_number_hour, HOUR, now))
        refuse('number_day', wait_in_log(sends_key, settings.sends_per_number_day, DAY, now))
    end

    local trusted = last_signed_in and tonumber(last_signed_in) > now - KNOWN_FOR
    local function check(kind, i, capacity, life)
        if capacity > 0 then
            local key = KEYS[6 + i]
            local level, at = level_of(kept[i], capacity, now)
            refuse(kind, wait_for_bucket(level, capacity))
            buckets[#buckets + 1] = { key, packed_bucket(level + 1, at), life or life_of_bucket(level + 1, capacity) }
            charged[#charged + 1] = string.sub(key, #settings.bucket_prefix + 1)
        end
    end
    check('address', 1, settings.sends_per_address_hour)
    if not trusted then
        check('range', 2, settings.sends_per_range_hour)
        check('country', 3, tonumber(country_capacity), LONGEST_LIFE_OF_BUCKET)
    end
    check('service', 4, settings.sends_per_hour, LONGEST_LIFE_OF_BUCKET)
end

if refusal then
    return { refusal, longest, 0 }
end

-- A late SMS stays good while a full life still ends within the longest that a code may live.
local same_code = alive and now + settings.ttl <= first_asked_at + settings.longest_life
    and string.find(known_keys, old[5], 1, true)
local deliveries = delivery_id
local names = with_name(same_code and old[8], address_tags, name)
if not same_code then
    id = new_id
end
-- A Redis that is out of memory decides by the first write whether the script may go on. So this
-- one takes memory.
redis.call('HSET', delivery_key, 'status', is_test and 'sent' or 'queued', 'purpose', purpose, 'number', number,
    'challenge', id, 'requested_at', now_text, 'charged', table.concat(charged, ' '))
redis.call('PEXPIRE', delivery_key, is_test and settings.ttl + 60000 or 'settings.keep_delivery')
if same_code then
    -- Test numbers may ask without end; what they ask for costs nothing and is not given back.
    deliveries = is_test and delivery_id or old[7] .. ' ' .. delivery_id
    redis.call('HSET', challenge_key, 'expires_at', now + settings.ttl, 'names', names, 'deliveries', deliveries)
else
    if old[1] then
        redis.call('DEL', challenge_key)
    end
    redis.call('HSET', challenge_key, 'id', id, 'first_asked_at', now_text, 'expires_at', now + settings.ttl, 'key_id', key_id, 'sealed', sealed, 'tag', redis.sha1hex(id .. tag), 'names', names, 'deliveries', deliveries)
end
redis.call('PEXPIRE', challenge_key, settings.ttl + 60000)
if is_test then
    return { 'sent', settings.ttl, 0 }
end

for _, bucket in ipairs(buckets) do
    redis.call('SET', bucket[1], bucket[2], 'PX', bucket[3])
end
note_in_log(sends_key, math.max(settings.sends_per_number_hour, settings.sends_per_number_day), DAY, now_text)
if known then
    note_in_log(sends_key .. own, settings.sends_per_number_hour, HOUR, now_text)
    redis.call('HSET', delivery_key, 'known_address', known)
end
redis.call('HSET', number_key, 'streak' .. own, streak + 1, 'last' .. own, now_text)
redis.call('PEXPIRE', number_key, longest_cooldown())
enqueue(job_id, job)
return { 'sent', settings.ttl, cooldown_after(streak + 1) }
