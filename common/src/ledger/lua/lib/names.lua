-- The names that were given for a code: newest first, each behind the tag of the address that gave
-- it. A name counts only for who redeems the code from that address, because anybody can ask for
-- anybody's code.
local names = {}

local MOST = 20

-- All of them with one more.
function names.add(given, address_tags, name)
    if name == '' then
        return given or {}
    end
    local tag, before = address_tags[1], given or {}
    local after = { tag, name }
    for i = 1, #before, 2 do
        if before[i] ~= tag and #after < 2 * MOST then
            after[#after + 1], after[#after + 2] = before[i], before[i + 1]
        end
    end
    return after
end

-- The one that came from an address, or ''.
function names.of_address(given, address_tags)
    for i = 1, #given, 2 do
        for _, tag in ipairs(address_tags) do
            if given[i] == tag then
                return given[i + 1]
            end
        end
    end
    return ''
end

return names
