#!lua flags=allow-oom
-- Counts the jobs.
local in_flight = 0
for _, worker in ipairs(redis.call('ZRANGE', keys.workers, 0, -1)) do
    in_flight = in_flight + redis.call('SCARD', keys.in_flight .. ':' .. worker)
end
return {
    waiting = redis.call('LLEN', keys.active), retrying = redis.call('ZCARD', keys.retry),
    in_flight = in_flight,
}
