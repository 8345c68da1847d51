-- Moves jobs whose retry is due to the active list. Answers how many.
local due = redis.call('ZRANGEBYSCORE', keys.retry, '-inf', call.now, 'LIMIT', 0, call.limit)
for _, member in ipairs(due) do
    queue.put(string.sub(member, 1, 26), string.sub(member, 28))
    redis.call('ZREM', keys.retry, member)
end
if #due > 0 then
    queue.wake()
end
return #due
