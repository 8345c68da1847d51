-- Records what came of a try: of the delivery, and of the provider's breaker. KEYS: delivery ARGV,
-- from the second: delivery id; claimant; outcome; id and payload of the job that comes after it
-- Answers {1 if the delivery took it, what the breaker did or ""}.
local delivery_key = KEYS[1]
local now, delivery_id, claimant, outcome = tonumber(ARGV[1]), ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local next_job_id, next_job = ARGV[5], ARGV[6]

local breaker_key = settings.breaker_prefix .. outcome.provider
local breaker = ''
if outcome.provider_state == 'works' then
    breaker = breaker_succeeded(breaker_key)
elseif outcome.provider_state then
    breaker = breaker_failed(breaker_key, now, outcome.provider_state == 'misconfigured', outcome.retry_after or 0)
else
    breaker_release(breaker_key)
end

local before = redis.call('HMGET', delivery_key, 'status', 'claimant', 'reason', 'unrecorded')
local status, last_reason, unrecorded = before[1], before[3], before[4] == '1'
if not status then
    return { 0, breaker }
end
if outcome.status == 'sent' then
    redis.call('HSET', delivery_key, 'provider_id', outcome.provider_id)
    if not may_move(status, last_reason, 'sent') then
        return { 0, breaker }
    end
    redis.call('HSET', delivery_key, 'status', 'sent', 'claimed_until', 0)
    redis.call('HDEL', delivery_key, 'reason')
    return { 1, breaker }
end

-- Whose claim ran out has no say in what comes next, nor has a try that a callback already knows to
-- be sent.
if status ~= 'sending' or before[2] ~= claimant then
    return { 0, breaker }
end
if outcome.status == 'queued' then
    redis.call('HSET', delivery_key, 'status', 'queued', 'claimed_until', 0, 'reason', outcome.reason)
    if outcome.exclude then
        local excluded = redis.call('HGET', delivery_key, 'excluded')
        redis.call('HSET', delivery_key, 'excluded', (excluded and excluded .. ' ' or '') .. outcome.provider)
    end
    enqueue_next(delivery_key, outcome.retry_at > now and outcome.retry_at, next_job_id, next_job)
    return { 1, breaker }
end
local ended_as, reason = end_of(outcome.status, outcome.reason, unrecorded, last_reason)
finish(delivery_key, ended_as, reason)
local provider = outcome.reason ~= 'code_unreadable' and outcome.provider
bury(delivery_id, delivery_key, ended_as, reason, provider, outcome.provider_code, now)
if outcome.surely_not_sent and not unrecorded then
    undo_send(delivery_key)
end
return { 1, breaker }
