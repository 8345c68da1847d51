-- One breaker a provider, shared by all workers.
local breaker = {}

local DAY = 86400000

-- When the provider may be called: now or earlier, or the instant to ask again. An open breaker
-- lets a single probe through when its pause is over; others come back soon to see what became of
-- it.
function breaker.free_at(key, now)
    local found = redis.call('HMGET', key, 'open_until', 'probe_until')
    local open_until, probe_until = tonumber(found[1] or 0), tonumber(found[2] or 0)
    if open_until > now then
        return open_until
    elseif open_until > 0 and probe_until > now then
        return math.min(probe_until, now + 500)
    end
    return now
end

function breaker.begin_call(key, until_at)
    if redis.call('HEXISTS', key, 'open_until') == 1 then
        redis.call('HSET', key, 'probe_until', until_at)
    end
end

-- A call that was begun was never made: if it was the probe, another may be.
function breaker.release(key)
    if redis.call('HEXISTS', key, 'open_until') == 1 then
        redis.call('HSET', key, 'probe_until', 0)
    end
end

-- Any answer that shows the provider at work closes the breaker. Answers "closed" where it was
-- open.
function breaker.succeeded(key)
    local was_open = redis.call('HEXISTS', key, 'open_until') == 1
    redis.call('DEL', key)
    return was_open and 'closed' or ''
end

-- A run of failures opens it, our own misconfiguration at once; each failed probe doubles the
-- pause. Answers "opened" or "reopened" where it did. A misconfiguration that an outage has hidden
-- is news, too.
function breaker.failed(key, now, misconfigured, at_least)
    local open_until = tonumber(redis.call('HGET', key, 'open_until') or 0)
    local failures = redis.call('HINCRBY', key, 'failures', 1)
    local news = open_until == 0
    if misconfigured and redis.call('HSETNX', key, 'misconfigured', 1) == 1 then
        news = true
    end
    redis.call('PEXPIRE', key, DAY)
    if open_until > now then
        return news and 'opened' or ''
    elseif open_until == 0 and not misconfigured and failures < settings.breaker_failures then
        return ''
    end
    local opens = redis.call('HINCRBY', key, 'opens', 1)
    local pause = settings.breaker_pause * 2 ^ math.min(opens - 1, 20)
    pause = math.min(pause, settings.breaker_longest_pause)
    redis.call('HSET', key, 'open_until', now + math.max(pause, at_least), 'probe_until', 0)
    return news and 'opened' or 'reopened'
end

return breaker
