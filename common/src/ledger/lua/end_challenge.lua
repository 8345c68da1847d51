-- Ends a challenge: its code is not good any more. All limits stay but its own count of guesses.
-- Answers whether there was one.
local record = number.load(keys.number)
if not record[N.challenges][call.purpose] then
    return false
end
record[N.challenges][call.purpose] = nil
tidy.save(keys.number, record, call.now)
return true
