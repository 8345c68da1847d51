-- Records what came of a try: of the delivery, and of the provider's breaker.
-- KEYS: delivery
-- Answers {1 if the delivery took it, what the breaker did or ""}.
local delivery_key = KEYS[1]
local now, delivery_id, claimant, outcome = tonumber(ARGV[1]), ARGV[3], ARGV[4], cjson.decode(ARGV[5])
local next_job_id, job = ARGV[6], ARGV[7]

local breaker_key = settings.breaker_prefix .. outcome.provider
local breaker = ''
if outcome.provider_state == 'works' then
    breaker = breaker_succeeded(breaker_key)
elseif outcome.provider_state then
    breaker = breaker_failed(breaker_key, now, outcome.provider_state == 'misconfigured', outcome.retry_after or 0)
end

local before = redis.call('HMGET', delivery_key, 'status', 'claimant', 'reason')
local status = before[1]
if not status then
    return { 0, breaker }
end
if outcome.status == 'sent' then
    redis.call('HSET', delivery_key, 'provider_id', outcome.provider_id)
    if not may_move(status, before[3], 'sent') then
        return { 0, breaker }
    end
    redis.call('HSET', delivery_key, 'status', 'sent', 'claimed_until', 0)
    redis.call('HDEL', delivery_key, 'reason')
    return { 1, breaker }
end

-- Whose claim ran out has no say in what comes next, nor has a try that a callback already knows to be sent.
if status ~= 'sending' or before[2] ~= claimant then
    return { 0, breaker }
end
if outcome.status == 'queued' then
    redis.call('HSET', delivery_key, 'status', 'queued', 'claimed_until', 0, 'reason', outcome.reason)
    if outcome.exclude then
        local excluded = redis.call('HGET', delivery_key, 'excluded')
        redis.call('HSET', delivery_key, 'excluded', (excluded and excluded .. ' ' or '') .. outcome.provider)
    end
    if outcome.retry_at > now then
        enqueue_at(outcome.retry_at, next_job_id, job)
    else
        enqueue(next_job_id, job)
    end
    return { 1, breaker }
end
finish(delivery_key, outcome.status, outcome.reason)
bury(delivery_id, delivery_key, outcome.status, outcome.reason, outcome.provider, outcome.provider_code, now)
if outcome.surely_not_sent then
    undo_send(delivery_key)
end
return { 1, breaker }
