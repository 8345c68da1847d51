-- ARGV: now (Unix ms), the most jobs to move. Returns how many were moved.
local due = redis.call('ZRANGEBYSCORE', retry, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(due) do
  put(string.sub(member, 1, 26), string.sub(member, 28))
  redis.call('ZREM', retry, member)
end
if #due > 0 then
  wake()
end
return #due
