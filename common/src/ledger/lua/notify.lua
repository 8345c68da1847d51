-- Writes an SMS that carries no code, and its job. Asked again, because an answer was lost, it does
-- nothing.
if redis.call('EXISTS', keys.delivery) == 0 then
    local sms = D.NEW
    sms[D.status], sms[D.purpose], sms[D.number] = 'queued', call.kind, call.number
    sms[D.requested_at], sms[D.expires_at] = call.happened_at, call.expires_at
    delivery.save(keys.delivery, sms, call.kept_for)
    queue.enqueue(call.job_id, call.job)
end
return true
