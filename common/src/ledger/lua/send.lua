-- Asks for a code: decides all limits, keeps the number's challenge or makes a new one, and writes
-- delivery and job with it. All or nothing: a refusal writes nothing.
local now = call.now
-- Redis takes numbers as text, and to make it of them costs.
local now_text = string.format('%.0f', now)

-- One read of all that are single values.
local kept = redis.call('MGET', keys.address, keys.range, keys.country, keys.service, keys.blocked)
if block.until_at(kept[5], now) then
    return { outcome = 'refused', kind = 'blocked', retry_after = 0 }
end

-- Strangers and each address that the number signed in from have allowances of their own; the day's
-- caps are for all. Most numbers are new: that is asked once, for all that may be known of one.
local has_past = redis.call('EXISTS', keys.known, keys.wrong, keys.sends, keys.wrong_by_address,
    keys.wrong_by_both) > 0
local last_signed_in = has_past and redis.call('ZREVRANGE', keys.known, '0', '0', 'WITHSCORES')[2]
local known = last_signed_in and known_addresses.find(keys.known, call.address_tags, now)
local own = known and ':' .. known or ''

local old = redis.call('HMGET', keys.challenge, 'id', 'used', 'expires_at', 'first_asked_at',
    'key_id', known and 'known_guesses' or 'guesses', 'deliveries', 'names')
local id, used, expires_at, first_asked_at = old[1], old[2], tonumber(old[3]), tonumber(old[4])
local guesses = tonumber(old[6] or 0)
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
    refuse('wrong_guesses', log.wait(keys.wrong_by_both, settings.wrong_guesses_per_hour,
        settings.wrong_guesses_per_hour_window, now))
    refuse('wrong_guesses', log.wait(keys.wrong, settings.wrong_guesses_per_number_day,
        settings.wrong_guesses_per_number_day_window, now))
    if not known then
        refuse('wrong_guesses', log.wait(keys.wrong_by_address,
            settings.wrong_guesses_per_address_hour,
            settings.wrong_guesses_per_address_hour_window, now))
        refuse('wrong_guesses', log.wait(keys.wrong, settings.wrong_guesses_per_number_hour,
            settings.wrong_guesses_per_number_hour_window, now))
    end
end

local before = redis.call('HMGET', keys.number, 'streak' .. own, 'last' .. own)
local streak, last = tonumber(before[1] or 0), tonumber(before[2] or 0)
if last <= now - cooldown.longest() then
    streak = 0
end

local buckets, charged = {}, {}
if not call.is_test then
    if cooldown.after(streak) > 0 then
        refuse('cooldown', last + cooldown.after(streak) - now)
    end
    if has_past then
        refuse('number_hour', log.wait(keys.sends .. own, settings.sends_per_number_hour,
            settings.sends_per_number_hour_window, now))
        refuse('number_day', log.wait(keys.sends, settings.sends_per_number_day,
            settings.sends_per_number_day_window, now))
    end

    local trusted = last_signed_in and tonumber(last_signed_in) > now - known_addresses.KEPT_FOR
    local function check(kind, key, kept_of_it, capacity, life)
        if capacity > 0 then
            local level, at = bucket.level(kept_of_it, capacity, now)
            refuse(kind, bucket.wait(level, capacity))
            buckets[#buckets + 1] = {
                key, bucket.pack(level + 1, at), life or bucket.life(level + 1, capacity),
            }
            charged[#charged + 1] = string.sub(key, #settings.bucket_prefix + 1)
        end
    end
    check('address', keys.address, kept[1], settings.sends_per_address_hour)
    if not trusted then
        check('range', keys.range, kept[2], settings.sends_per_range_hour)
        check('country', keys.country, kept[3], call.country_capacity, bucket.LONGEST_LIFE)
    end
    check('service', keys.service, kept[4], settings.sends_per_hour, bucket.LONGEST_LIFE)
end

if refusal then
    return { outcome = 'refused', kind = refusal, retry_after = longest }
end

-- A late SMS stays good while a full life still ends within the longest that a code may live.
local same_code = alive and now + settings.ttl <= first_asked_at + settings.longest_life
    and string.find(call.known_keys, old[5], 1, true)
local given_names = names.add(same_code and old[8], call.address_tags, call.name)
if not same_code then
    id = call.challenge_id
end
-- A Redis that is out of memory decides by the first write whether the script may go on. So this
-- one takes memory.
redis.call('HSET', keys.delivery, 'status', call.is_test and 'sent' or 'queued',
    'purpose', call.purpose, 'number', call.number, 'challenge', id, 'requested_at', now_text,
    'charged', table.concat(charged, ' '))
local keep_delivery = call.is_test and settings.ttl + 60000 or settings.keep_delivery
redis.call('PEXPIRE', keys.delivery, keep_delivery)
local deliveries = call.delivery_id
if same_code then
    -- Test numbers may ask without end; what they ask for costs nothing and is not given back.
    deliveries = call.is_test and deliveries or old[7] .. ' ' .. deliveries
    redis.call('HSET', keys.challenge, 'expires_at', now + settings.ttl, 'names', given_names,
        'deliveries', deliveries)
else
    if old[1] then
        redis.call('DEL', keys.challenge)
    end
    redis.call('HSET', keys.challenge, 'id', id, 'first_asked_at', now_text,
        'expires_at', now + settings.ttl, 'key_id', call.key_id, 'sealed', call.sealed,
        'tag', redis.sha1hex(id .. call.tag), 'names', given_names, 'deliveries', deliveries)
end
redis.call('PEXPIRE', keys.challenge, settings.ttl + 60000)
if call.is_test then
    return { outcome = 'sent', expires_in = settings.ttl, resend_in = 0 }
end

for _, one in ipairs(buckets) do
    redis.call('SET', one[1], one[2], 'PX', one[3])
end
local most = math.max(settings.sends_per_number_hour, settings.sends_per_number_day)
log.note(keys.sends, most, settings.sends_per_number_day_window, now_text)
if known then
    log.note(keys.sends .. own, settings.sends_per_number_hour,
        settings.sends_per_number_hour_window, now_text)
    redis.call('HSET', keys.delivery, 'known_address', known)
end
redis.call('HSET', keys.number, 'streak' .. own, streak + 1, 'last' .. own, now_text)
redis.call('PEXPIRE', keys.number, cooldown.longest())
queue.enqueue(call.job_id, call.job)
return { outcome = 'sent', expires_in = settings.ttl, resend_in = cooldown.after(streak + 1) }
