-- Put before the body of every script that adds jobs. The queue's own key names come first in KEYS;
-- the body sees only its own, from KEYS[1].
local active, data, meta, retry, wake_channel = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEYS = {unpack(KEYS, 6)}

local function wake()
  redis.call('PUBLISH', wake_channel, '')
end

-- What apalis-redis needs of a job, without the wake: for many jobs at once.
local function put(job_id, payload)
  redis.call('HSET', data, job_id, payload)
  redis.call('HSET', meta .. ':' .. job_id, 'attempts', '0', 'max_attempts', '1', 'status', 'Pending')
  redis.call('RPUSH', active, job_id)
end

-- A job that is due now. `job_id` is a ULID never used before, `payload` the job's JSON.
local function enqueue(job_id, payload)
  put(job_id, payload)
  wake()
end

-- A job that is due at `due_ms` (Unix time in ms). Nothing but the retry set knows it until then.
local function enqueue_at(due_ms, job_id, payload)
  redis.call('ZADD', retry, due_ms, job_id .. ' ' .. payload)
end

-- Nothing of an ended job stays.
local function forget(job_id)
  redis.call('HDEL', data, job_id)
  redis.call('DEL', meta .. ':' .. job_id)
end
