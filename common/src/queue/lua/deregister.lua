#!lua flags=allow-oom
-- Takes stock of what a worker that fetches no more still holds. Answers how many jobs went back to
-- the queue.
local function set_of(ids)
    local set = {}
    for _, id in ipairs(ids) do
        set[id] = true
    end
    return set
end
local ended, running = set_of(call.ended), set_of(call.running)

local unstarted = {}
for _, job_id in ipairs(redis.call('SMEMBERS', keys.in_flight_of_worker)) do
    if not running[job_id] then
        redis.call('SREM', keys.in_flight_of_worker, job_id)
        -- An id without its data or its meta would end every worker that fetches it.
        local whole = redis.call('HEXISTS', keys.data, job_id) == 1
            and redis.call('HLEN', keys.meta .. ':' .. job_id) >= 3
        if ended[job_id] or not whole then
            queue.forget(job_id)
        else
            table.insert(unstarted, job_id)
        end
    end
end

-- They are the oldest, so they go first again.
table.sort(unstarted)
for i = #unstarted, 1, -1 do
    redis.call('LPUSH', keys.active, unstarted[i])
end
if #unstarted > 0 then
    queue.wake()
end

-- While a job is in flight the name stays, so that the job is found as an orphan if it never ends.
if redis.call('SCARD', keys.in_flight_of_worker) == 0 then
    redis.call('ZREM', keys.workers, call.worker)
    redis.call('DEL', keys.metadata)
end
return #unstarted
