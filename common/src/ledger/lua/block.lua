-- Blocks a number, until an instant or without end (0), or unblocks it. Answers whether it was
-- blocked.
local record = number.load(keys.number)
local was = block.until_at(record[N.blocked_until], call.now)
if was or call.until_at then
    record[N.blocked_until] = call.until_at or false
    tidy.save(keys.number, record, call.now)
end
return was and true or false
