#!lua flags=allow-oom
-- Forgets what keeps a number from asking and guessing. A code that is burned is gone; one that is
-- not stays. Answers what there was.
local record = number.load(keys.number)

local function count(logs)
    return #(logs.all or {}) + #(logs.known or {})
end

local had = {
    cooldown = next(record[N.streaks]) ~= nil, sends = count(record[N.sends]),
    wrong_guesses = count(record[N.wrong]), burned_codes = 0,
}
record[N.streaks], record[N.sends], record[N.wrong], record[N.wrong_by_address] = {}, {}, {}, {}
for purpose, challenge in pairs(record[N.challenges]) do
    local most = math.max(challenge[C.guesses], challenge[C.known_guesses])
    if most >= settings.guesses_per_challenge then
        record[N.challenges][purpose] = nil
        had.burned_codes = had.burned_codes + 1
    end
end
tidy.save(keys.number, record, call.now)
return had
