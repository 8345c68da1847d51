-- Jobs, as apalis-redis wants them.
local queue = {}

function queue.wake()
    redis.call('PUBLISH', keys.wake, '')
end

-- What apalis-redis needs of a job, without the wake: for many jobs at once.
function queue.put(job_id, payload)
    redis.call('HSET', keys.data, job_id, payload)
    redis.call('HSET', keys.meta .. ':' .. job_id, 'attempts', '0', 'max_attempts', '1',
        'status', 'Pending')
    redis.call('RPUSH', keys.active, job_id)
end

-- A job that is due now. `job_id` is a ULID never used before, `payload` the job's JSON.
function queue.enqueue(job_id, payload)
    queue.put(job_id, payload)
    queue.wake()
end

-- A job that is due at `due_ms` (Unix time in ms). Nothing but the retry set knows it until then.
function queue.enqueue_at(due_ms, job_id, payload)
    redis.call('ZADD', keys.retry, due_ms, job_id .. ' ' .. payload)
end

-- Nothing of an ended job stays.
function queue.forget(job_id)
    redis.call('HDEL', keys.data, job_id)
    redis.call('DEL', keys.meta .. ':' .. job_id)
end

return queue
