-- A leaky bucket is two doubles: so many sends, at that instant. It drains its capacity in an hour.
local bucket = {}

local HOUR = 3600000

local function read(kept)
    if not kept then
        return 0, 0
    end
    return struct.unpack('dd', kept)
end

function bucket.pack(level, at)
    return struct.pack('dd', level, at)
end

-- Its level now, and the instant of that. A process whose clock is behind another's does not turn
-- the bucket's back: the other would drain the same while again.
function bucket.level(kept, capacity, now)
    local level, at = read(kept)
    return math.max(0, level - math.max(0, now - at) * capacity / HOUR), math.max(now, at)
end

-- How long until a bucket of this level takes one more. What is let pass here is more than the
-- error of what is kept.
function bucket.wait(level, capacity)
    local too_much = level + 1 - capacity
    return too_much > 0.000000001 and math.ceil(too_much * HOUR / capacity) or 0
end

-- How long a bucket of this level is kept. Of buckets that are few it is not worth to be told:
-- those live as long as any.
bucket.LONGEST_LIFE = '3660000'
function bucket.life(level, capacity)
    return math.ceil(level / capacity * HOUR) + 60000
end

-- Gives sends back: so many to each bucket, by the name behind the prefix. That needs no capacity:
-- a bucket drains alike.
function bucket.give_back(charged)
    local names, counts = {}, {}
    for name, count in pairs(charged) do
        names[#names + 1], counts[#counts + 1] = settings.bucket_prefix .. name, count
    end
    if #names == 0 then
        return
    end
    for i, kept in ipairs(redis.call('MGET', unpack(names))) do
        local level, at = read(kept)
        if level > counts[i] then
            redis.call('SET', names[i], bucket.pack(level - counts[i], at), 'KEEPTTL')
        else
            redis.call('DEL', names[i])
        end
    end
end

return bucket
