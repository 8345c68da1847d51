#!lua flags=allow-oom
-- Makes the code that one attempt used up good again, because its sign-in failed or its answer was
-- lost. A newer challenge is left alone. Answers whether it did.
local record = number.load(keys.number)
local challenge = record[N.challenges][call.purpose]
if not challenge or challenge[C.used] ~= call.attempt then
    return false
end
challenge[C.used] = false
number.put(keys.number, record)
happened.to_code(call.now, challenge, 'restored', -1)
return true
