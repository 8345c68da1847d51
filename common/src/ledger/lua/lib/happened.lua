-- What happened, for operators: counted by the minute, told of the number, and the last SMS of each
-- status. What there is none of is ''.
local happened = {}

local MINUTE, DAY = 60000, 86400000
local MOST_OF_A_NUMBER = 50
-- Of a minute. Whoever asks in vain in all countries adds no more to it.
local MOST_REFUSALS_BY_COUNTRY = 200

local function count(now, country, provider, what, times)
    local key = settings.counts_prefix .. math.floor(now / MINUTE)
    if redis.call('HINCRBY', key, country .. ' ' .. provider .. ' ' .. what, times) == times then
        redis.call('PEXPIRE', key, settings.keep_counts)
    end
end

-- A history begins with an SMS that is asked for, and ends a day after the last thing of an SMS.
local function tell(begins, number, ...)
    local key = settings.history_prefix .. number
    local length = redis.call(begins and 'RPUSH' or 'RPUSHX', key, cmsgpack.pack({ ... }))
    if length > MOST_OF_A_NUMBER then
        redis.call('LTRIM', key, -MOST_OF_A_NUMBER, -1)
    end
    redis.call('PEXPIRE', key, DAY)
end

-- Anybody can do this to anybody's number: it makes no history, and one line however often it
-- comes in a row.
local function tell_of_stranger(now, number, what, reason, wait)
    local key = settings.history_prefix .. number
    local last = redis.call('LINDEX', key, -1)
    if not last then
        return
    end
    local entry, before = cmsgpack.pack({ now, what, '', '', reason, wait }), cmsgpack.unpack(last)
    if before[2] == what and before[5] == reason then
        redis.call('LSET', key, -1, entry)
    elseif redis.call('RPUSH', key, entry) > MOST_OF_A_NUMBER then
        redis.call('LTRIM', key, -MOST_OF_A_NUMBER, -1)
    end
end

-- By the status that they got, or 'asked'. They stay there when they get another one.
local function list(sms, id, what)
    local key = settings.listed_prefix .. what
    local length = redis.call('RPUSH', key, cmsgpack.pack({ sms[D.requested_at], id }))
    if length > settings.most_listed then
        redis.call('LTRIM', key, -settings.most_listed, -1)
    end
    redis.call('PEXPIRE', key, DAY)
end

-- Of an SMS with a code. Its country marks it; a test number's has none.
function happened.to_sms(now, id, sms, what, provider, reason)
    if sms[D.country] then
        count(now, sms[D.country], provider, what, 1)
        if what ~= 'attempt_failed' then
            list(sms, id, what)
        end
        tell(what == 'asked', sms[D.number], now, what, id, provider, reason or '', 0)
    end
end

-- A call that failed for the provider's own reasons and is not followed by another one: what came
-- of the SMS is told by itself.
function happened.last_attempt_failed(now, sms, provider)
    if sms[D.country] then
        count(now, sms[D.country], provider, 'attempt_failed', 1)
    end
end

-- A code was right, or that was taken back: it counts for the last SMS that brought it.
function happened.to_code(now, challenge, what, times)
    local id = challenge[C.deliveries][#challenge[C.deliveries]]
    local sms = delivery.load(settings.delivery_prefix .. id)
    if sms and sms[D.country] then
        count(now, sms[D.country], sms[D.provider] or '', 'verified', times)
        tell(false, sms[D.number], now, what, id, '', '', 0)
    end
end

function happened.refused(now, country, number, kind, wait)
    local key = settings.counts_prefix .. math.floor(now / MINUTE)
    if redis.call('HLEN', key) >= MOST_REFUSALS_BY_COUNTRY then
        country = ''
    end
    count(now, country, '', 'refused:' .. kind, 1)
    tell_of_stranger(now, number, 'refused', kind, math.ceil(wait))
end

function happened.wrong_guess(now, number, why)
    count(now, '', '', 'guess:' .. why, 1)
    tell_of_stranger(now, number, 'wrong_guess', why, 0)
end

return happened
