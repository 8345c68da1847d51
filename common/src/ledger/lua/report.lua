-- Takes in what the provider reports of an SMS that it accepted. One that is not known any more is
-- left alone, and so is one that knows better.
local DAY = 86400000
local sms = delivery.load(keys.delivery)
if not sms then
    return true
end
sms[D.provider_id] = sms[D.provider_id] or call.provider_id
if not delivery.may_move(sms, call.status) then
    delivery.save(keys.delivery, sms)
    return true
end
local is_new = sms[D.status] ~= call.status
sms[D.status], sms[D.reason], sms[D.claimed_until] = call.status, call.reason or false, false
delivery.save(keys.delivery, sms, delivery.is_over(call.status) and DAY)
-- Providers report the same more than once.
if not is_new then
    return true
end
happened.to_sms(call.now, call.delivery_id, sms, call.status, sms[D.provider] or '', call.reason)
if call.status == 'failed' or call.status == 'undelivered' then
    undelivered.tell(call.delivery_id, sms)
end
return true
