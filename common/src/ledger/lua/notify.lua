-- Writes an SMS that carries no code, and its job. Asked again, because an answer was lost, it does
-- nothing.
if redis.call('EXISTS', keys.delivery) == 0 then
    redis.call('HSET', keys.delivery, 'status', 'queued', 'purpose', call.kind,
        'number', call.number, 'requested_at', call.happened_at, 'expires_at', call.expires_at)
    redis.call('PEXPIRE', keys.delivery, call.kept_for)
    queue.enqueue(call.job_id, call.job)
end
return true
