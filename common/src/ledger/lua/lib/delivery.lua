-- How a delivery moves on.
local delivery = {}

local DAY = 86400000

-- Forward only: nothing takes a delivery to a lower rank, and nothing moves it within the last.
local RANK = {
    queued = 0, sending = 1, sent = 2, delivered = 3, undelivered = 3, failed = 3, dropped = 3,
}

function delivery.may_move(from, reason, to)
    -- A call without an answer may have been heard: what the provider says of it later is the
    -- truth.
    if from == 'failed' and reason == 'no_answer' then
        return RANK[to] >= RANK.sent
    end
    return RANK[to] > RANK[from] or RANK[to] == RANK[from] and RANK[to] < 3
end

function delivery.is_over(status)
    return RANK[status] == 3
end

-- As what and why a delivery ends that was not sent. A try that was never recorded may have been,
-- after all; what failed before and then expired has the reason of its last failure.
function delivery.end_of(status, reason, unrecorded, last_reason)
    if unrecorded then
        return 'failed', 'no_answer'
    elseif reason == 'expired' and last_reason then
        return 'failed', last_reason
    end
    return status, reason
end

-- The end of a delivery that was never sent, for operators. No whole number, no code.
function delivery.bury(id, key, status, reason, provider, provider_code, now)
    local number = redis.call('HGET', key, 'number') or ''
    local masked = string.sub(number, 1, 3) .. string.rep('*', math.max(0, #number - 5))
        .. string.sub(number, -2)
    redis.call('LPUSH', settings.dead_letters, cjson.encode({
        at = now, delivery_id = id, number = masked, status = status, reason = reason,
        provider = provider or cjson.null, provider_code = provider_code or cjson.null,
    }))
    redis.call('LTRIM', settings.dead_letters, 0, settings.dead_letters_kept - 1)
    redis.call('PEXPIRE', settings.dead_letters, 30 * DAY)
end

function delivery.finish(key, status, reason)
    redis.call('HSET', key, 'status', status, 'reason', reason, 'claimed_until', 0)
    redis.call('PEXPIRE', key, DAY)
end

-- A send that the provider never accepted: neither the buckets nor the number's hour and day keep
-- it.
function delivery.undo_send(key, but)
    local send = redis.call('HMGET', key, 'number', 'requested_at', 'known_address', 'charged')
    if not send[4] then
        return
    end
    charges.give_back(key, but)
    local sends = settings.sends_prefix .. send[1]
    for _, log in ipairs(send[3] and { sends .. ':' .. send[3], sends .. ':known' } or { sends }) do
        redis.call('LREM', log, 1, send[2])
    end
end

-- The job that comes next, at that instant or now. From then on it is the only one of the delivery
-- that counts.
function delivery.enqueue_next(key, at, job_id, job)
    redis.call('HSET', key, 'job', job_id)
    if at then
        queue.enqueue_at(at, job_id, job)
    else
        queue.enqueue(job_id, job)
    end
end

return delivery
