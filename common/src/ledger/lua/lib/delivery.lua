-- One SMS: its record, and how it moves on.
local delivery = {}

-- The record, or nil. A version that knew fewer fields wrote fewer.
function delivery.load(key)
    local kept = redis.call('GET', key)
    if not kept then
        return nil
    end
    local sms = cmsgpack.unpack(kept)
    for i = #sms + 1, D.SIZE do
        sms[i] = false
    end
    return sms
end

-- Keeps it for so long from now (ms), or as long as before.
function delivery.save(key, sms, life)
    if life then
        redis.call('SET', key, cmsgpack.pack(sms), 'PX', life)
    else
        redis.call('SET', key, cmsgpack.pack(sms), 'KEEPTTL')
    end
end

-- Forward only: nothing takes a delivery to a lower rank, and nothing moves it within the last.
local RANK = {
    queued = 0, sending = 1, sent = 2, delivered = 3, undelivered = 3, failed = 3, dropped = 3,
}

function delivery.may_move(sms, to)
    local from = sms[D.status]
    -- A call without an answer may have been heard: what the provider says of it later is the
    -- truth.
    if from == 'failed' and sms[D.reason] == 'no_answer' then
        return RANK[to] >= RANK.sent
    end
    return RANK[to] > RANK[from] or RANK[to] == RANK[from] and RANK[to] < 3
end

function delivery.is_over(status)
    return RANK[status] == 3
end

return delivery
