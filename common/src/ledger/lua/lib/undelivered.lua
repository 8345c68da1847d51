-- SMS that will not arrive, for the events of the operator's webhook.
local undelivered = {}

local MONTH = 30 * 86400000
-- A worker takes them within a second, unless no worker is told of the webhook.
local MOST = 100000

function undelivered.tell(id, sms)
    if not call.undelivered then
        return
    end
    redis.call('RPUSH', call.undelivered, cjson.encode({
        delivery_id = id, phone_number = sms[D.number], status = sms[D.status],
        reason = sms[D.reason] or cjson.null,
    }))
    redis.call('LTRIM', call.undelivered, -MOST, -1)
    redis.call('PEXPIRE', call.undelivered, MONTH)
end

return undelivered
