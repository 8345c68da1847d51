-- Asks for codes, for one number or for several at once: decides all limits, keeps a number's
-- challenge or makes a new one, and writes delivery and job with it. All or nothing: a refusal
-- writes nothing but of which number an address has been told. Of several limits the one with the
-- longest wait is answered.
local now = call.now

-- How long an address is told of one number whether it is known: an hour.
local TOLD_FOR = 3600000

local MOST_OF_A_TEST_NUMBER = 10

-- Several numbers may share a bucket, so each counts what those before it have charged.
local charged_levels = {}

local function load(request)
    local key = request.keys
    local kept = redis.call('MGET', key.number, key.address, key.network, key.range, key.country,
        key.service, key.wrong_by_network, key.wrong_by_address, key.told)
    return {
        number = number.unpack(kept[1]), address = kept[2], network = kept[3], range = kept[4],
        country = kept[5], service = kept[6], wrong_by_network = kept[7],
        wrong_by_address = log.unpack(kept[8]), told = kept[9], charged_levels = charged_levels,
        find_known = function()
            return known_addresses.find(key.known, request.address_tags, now)
        end,
        signed_in_lately = function()
            return known_addresses.signed_in_lately(key.known, now)
        end,
    }
end

-- Keeps the number's code, or begins another. Answers the challenge.
local function renew(request, record)
    local challenge = record[N.challenges][request.purpose]
    -- A late SMS stays good while a full life still ends within the longest that a code may live.
    local same_code = challenge and not challenge[C.used] and challenge[C.expires_at] > now
        and now + settings.ttl <= challenge[C.first_asked_at] + settings.longest_life
        and string.find(call.known_keys, challenge[C.key_id], 1, true)
    local before = challenge and challenge[C.deliveries] or {}
    if not same_code then
        local settled = challenge and challenge[C.used] and before
        challenge = C.NEW
        challenge[C.id], challenge[C.first_asked_at] = request.challenge_id, now
        challenge[C.key_id] = request.key_id
        challenge[C.sealed] = string.sub(call.sealed, request.sealed_from, request.sealed_to)
        challenge[C.tag] = redis.sha1hex(request.challenge_id .. request.tag)
        challenge[C.guesses], challenge[C.known_guesses], challenge[C.deliveries] = 0, 0, {}
        challenge[C.charged], challenge[C.settled] = {}, settled or {}
        record[N.challenges][request.purpose] = challenge
    end
    challenge[C.expires_at] = now + settings.ttl
    challenge[C.names] = names.add(challenge[C.names], request.address_tags, request.name)
    if request.is_test then
        -- Test numbers may ask without end, so only the newest deliveries of one are kept.
        challenge[C.deliveries], challenge[C.settled] = before, {}
        if #before >= MOST_OF_A_TEST_NUMBER then
            redis.call('DEL', settings.delivery_prefix .. table.remove(before, 1))
        end
    end
    table.insert(challenge[C.deliveries], request.delivery_id)
    return challenge
end

local function write(request, record, known, streak, charged)
    local key = request.keys
    local challenge = renew(request, record)
    local sms = D.NEW
    sms[D.status], sms[D.purpose] = request.is_test and 'sent' or 'queued', request.purpose
    sms[D.number], sms[D.challenge] = request.number, challenge[C.id]
    sms[D.requested_at], sms[D.known_address] = now, known
    sms[D.charged] = {}
    if not request.is_test then
        sms[D.country] = request.country
    end
    for i, one in ipairs(charged) do
        local name = string.sub(one[1], #settings.bucket_prefix + 1)
        sms[D.charged][i] = name
        challenge[C.charged][name] = (challenge[C.charged][name] or 0) + 1
    end
    -- A Redis that is out of memory decides by the first write whether the script may go on. So
    -- this one takes memory.
    delivery.save(key.delivery, sms,
        request.is_test and settings.ttl + 60000 or settings.keep_delivery)
    happened.to_sms(now, request.delivery_id, sms, 'asked', '')
    if request.is_test then
        tidy.save(key.number, record, now)
        return { expires_in = settings.ttl, resend_in = 0 }
    end

    for _, one in ipairs(charged) do
        redis.call('SET', one[1], bucket.pack(one[2], one[3]), 'PX', one[4])
    end
    local sends = record[N.sends]
    if known then
        sends[known] = log.note(sends[known], settings.sends_per_number_hour,
            settings.sends_per_number_hour_window, now)
        sends.known = log.note(sends.known, settings.sends_per_number_day_own,
            settings.sends_per_number_day_window, now)
    else
        local of_all = settings.sends_per_number_day - settings.sends_per_number_day_own
        sends.all = log.note(sends.all, math.max(settings.sends_per_number_hour, of_all),
            settings.sends_per_number_day_window, now)
    end
    record[N.streaks][known or 'all'] = { streak + 1, now }
    tidy.save(key.number, record, now)
    queue.enqueue(request.job_id, request.job)
    return { expires_in = settings.ttl, resend_in = cooldown.after(streak + 1) }
end

local sends, refused = {}, nil
for i, request in ipairs(call.requests) do
    local state = load(request)
    local refusal, send, tells = decide_send.refusal(request, state, now)
    if tells then
        redis.call('SET', request.keys.told, request.address_tags[1], 'PX', TOLD_FOR)
    end
    if not refusal then
        for _, one in ipairs(send.charged) do
            charged_levels[one[1]] = one[2]
        end
        sends[i] = function()
            return write(request, state.number, send.known, send.streak, send.charged)
        end
    elseif not refused or refusal.retry_after > refused.retry_after then
        refused = refusal
        refused.outcome, refused.index = 'refused', i - 1
    end
end
if refused then
    local request = call.requests[refused.index + 1]
    if not request.is_test then
        happened.refused(now, request.country, request.number, refused.kind, refused.retry_after)
    end
    return refused
end
for i, send in ipairs(sends) do
    sends[i] = send()
end
return { outcome = 'sent', sent = sends }
