-- Takes stock of what a worker that fetches no more still holds.
-- KEYS: the workers set, the worker's in-flight set, its metadata.
-- ARGV: its name, how many of the ids that follow have ended, those ids, the ids that still run.
-- Returns how many jobs went back to the queue.
local workers, inflight, metadata = KEYS[1], KEYS[2], KEYS[3]
local ended, running = {}, {}
for i = 3, #ARGV do
  local set = i <= 2 + tonumber(ARGV[2]) and ended or running
  set[ARGV[i]] = true
end

local unstarted = {}
for _, job_id in ipairs(redis.call('SMEMBERS', inflight)) do
  if not running[job_id] then
    redis.call('SREM', inflight, job_id)
    -- An id without its data or its meta would end every worker that fetches it.
    local whole = redis.call('HEXISTS', data, job_id) == 1
      and redis.call('HLEN', meta .. ':' .. job_id) >= 3
    if ended[job_id] or not whole then
      forget(job_id)
    else
      table.insert(unstarted, job_id)
    end
  end
end

-- They are the oldest, so they go first again.
table.sort(unstarted)
for i = #unstarted, 1, -1 do
  redis.call('LPUSH', active, unstarted[i])
end
if #unstarted > 0 then
  wake()
end

-- While a job is in flight the name stays, so that the job is found as an orphan if it never ends.
if redis.call('SCARD', inflight) == 0 then
  redis.call('ZREM', workers, ARGV[1])
  redis.call('DEL', metadata)
end
return #unstarted
