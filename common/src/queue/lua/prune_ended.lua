#!lua flags=allow-oom
-- Forgets jobs that have ended. Answers how many.
local left = call.limit
for _, set in ipairs({ keys.done, keys.dead }) do
    local ended = redis.call('SPOP', set, left)
    for _, job_id in ipairs(ended) do
        queue.forget(job_id)
    end
    left = left - #ended
end
return call.limit - left
