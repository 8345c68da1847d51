-- KEYS: the sets of ended jobs. ARGV: the most jobs to forget. Returns how many were forgotten.
local left = tonumber(ARGV[1])
for _, set in ipairs(KEYS) do
  local ended = redis.call('SPOP', set, left)
  for _, job_id in ipairs(ended) do
    forget(job_id)
  end
  left = left - #ended
end
return tonumber(ARGV[1]) - left
