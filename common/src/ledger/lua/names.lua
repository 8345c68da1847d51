-- Put before send.lua and verify.lua. The names that were given for a code: newest first, each behind
-- the tag of the address that gave it, packed; '' where there are none. A name counts only for who
-- redeems the code from that address, because anybody can ask for anybody's code.
local MOST_NAMES = 20

local function names_in(packed)
    return packed and packed ~= '' and cmsgpack.unpack(packed) or {}
end

local function with_name(packed, address_tags, name)
    if name == '' then
        return packed or ''
    end
    local tag, before = string.match(address_tags, '%S+'), names_in(packed)
    local after = { tag, name }
    for i = 1, #before, 2 do
        if before[i] ~= tag and #after < 2 * MOST_NAMES then
            after[#after + 1], after[#after + 2] = before[i], before[i + 1]
        end
    end
    return cmsgpack.pack(after)
end

local function name_from(packed, address_tags)
    local names = names_in(packed)
    for i = 1, #names, 2 do
        if string.find(address_tags, names[i], 1, true) then
            return names[i + 1]
        end
    end
    return ''
end
