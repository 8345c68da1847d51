-- What becomes of an SMS that was not sent, or not yet.
local unsent = {}

local DAY = 86400000

-- Ends one that was not sent, and keeps that for operators: no whole number, no code. An attempt
-- that was never recorded may have sent it, after all; what failed before and then expired has the
-- reason of its last failure. Answers that reason.
function unsent.finish(id, key, sms, status, reason, provider, provider_code, now)
    if sms[D.unrecorded] then
        status, reason = 'failed', 'no_answer'
    elseif reason == 'expired' and sms[D.reason] then
        status, reason = 'failed', sms[D.reason]
    end
    sms[D.status], sms[D.reason], sms[D.claimed_until] = status, reason, false
    delivery.save(key, sms, DAY)
    happened.to_sms(now, id, sms, status, provider or '', reason)
    if status == 'failed' or reason == 'expired' then
        undelivered.tell(id, sms)
    end

    local number = sms[D.number]
    local masked = string.sub(number, 1, 3) .. string.rep('*', math.max(0, #number - 5))
        .. string.sub(number, -2)
    redis.call('LPUSH', settings.dead_letters, cjson.encode({
        at = now, delivery_id = id, number = masked, status = status, reason = reason,
        provider = provider or cjson.null, provider_code = provider_code or cjson.null,
    }))
    redis.call('LTRIM', settings.dead_letters, 0, settings.dead_letters_kept - 1)
    redis.call('PEXPIRE', settings.dead_letters, 30 * DAY)
    return reason
end

-- A send that the provider never accepted: neither the buckets nor the number's hour and day keep
-- it, but for one bucket where that is named. The use of its code has given it back before.
function unsent.undo_send(id, key, sms, but)
    local number_key = settings.number_prefix .. sms[D.number]
    local record, charged = number.load(number_key), sms[D.charged]
    local challenge = record[N.challenges][sms[D.purpose]]
    local its_own = challenge and challenge[C.id] == sms[D.challenge]
    if not charged or its_own and challenge[C.used] then
        return
    end
    for _, settled in ipairs(challenge and challenge[C.settled] or {}) do
        if settled == id then
            return
        end
    end

    local counts, changed = {}, its_own
    for _, name in ipairs(charged) do
        counts[name] = name ~= but and 1 or nil
        if its_own then
            challenge[C.charged][name] = (challenge[C.charged][name] or 1) - 1
        end
    end
    bucket.give_back(counts)
    sms[D.charged] = false
    delivery.save(key, sms)
    local sends, known = record[N.sends], sms[D.known_address]
    for _, name in ipairs(known and { known, 'known' } or { 'all' }) do
        changed = log.forget(sends[name], sms[D.requested_at]) or changed
    end
    if changed then
        number.put(number_key, record)
    end
end

-- The job that comes next, at that instant or now. From then on it is the only one of the delivery
-- that counts.
function unsent.put_off(key, sms, at, job_id, job)
    sms[D.job] = job_id
    delivery.save(key, sms)
    if at then
        queue.enqueue_at(at, job_id, job)
    else
        queue.enqueue(job_id, job)
    end
end

return unsent
