-- What happened, for operators: counted by the minute, and told of the number. What there is none
-- of is ''.
local happened = {}

local MINUTE, DAY = 60000, 86400000
local MOST_OF_A_NUMBER = 50

local function count(now, country, provider, what, times)
    local key = settings.counts_prefix .. math.floor(now / MINUTE)
    if redis.call('HINCRBY', key, country .. ' ' .. provider .. ' ' .. what, times) == times then
        redis.call('PEXPIRE', key, settings.keep_counts)
    end
end

local function tell(command, number, ...)
    local key = settings.history_prefix .. number
    local length = redis.call(command, key, cmsgpack.pack({ ... }))
    if length > MOST_OF_A_NUMBER then
        redis.call('LTRIM', key, -MOST_OF_A_NUMBER, -1)
    end
    if length > 0 then
        redis.call('PEXPIRE', key, DAY)
    end
end

-- Of an SMS with a code. Its country marks it; a test number's has none.
function happened.to_sms(now, id, sms, what, provider, reason)
    if sms[D.country] then
        count(now, sms[D.country], provider, what, 1)
        tell('RPUSH', sms[D.number], now, what, id, provider, reason or '', 0)
    end
end

-- A code was right, or that was taken back: it counts for the last SMS that brought it.
function happened.to_code(now, challenge, what, times)
    local id = challenge[C.deliveries][#challenge[C.deliveries]]
    local sms = delivery.load(settings.delivery_prefix .. id)
    if sms and sms[D.country] then
        count(now, sms[D.country], sms[D.provider] or '', 'verified', times)
        tell('RPUSH', sms[D.number], now, what, id, '', '', 0)
    end
end

-- Anybody can name any number, so the rest is told only of numbers that something is told of.
function happened.refused(now, country, number, kind, wait)
    count(now, country, '', 'refused:' .. kind, 1)
    tell('RPUSHX', number, now, 'refused', '', '', kind, math.ceil(wait))
end

function happened.wrong_guess(now, number, why)
    count(now, '', '', 'guess:' .. why, 1)
    tell('RPUSHX', number, now, 'wrong_guess', '', '', why, 0)
end

return happened
