-- Put before the scripts that put a delivery off.

-- The job that comes next, at that instant or now. From then on it is the only one of the delivery
-- that counts.
local function enqueue_next(delivery_key, at, job_id, job)
    redis.call('HSET', delivery_key, 'job', job_id)
    if at then
        enqueue_at(at, job_id, job)
    else
        enqueue(job_id, job)
    end
end
