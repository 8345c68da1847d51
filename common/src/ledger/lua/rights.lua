#!lua flags=no-writes,allow-oom,allow-stale
-- Which command the user of this connection may not run on our keys and channels; the first, or
-- nil.
local arguments = { -- of those that take no key at first
    eval = { '', '0' }, evalsha = { '', '0' }, ping = {}, script = { 'load', '' },
    select = { '0' }, time = {}, publish = { call.key, '' }, subscribe = { call.key },
}
for _, command in ipairs(call.commands) do
    local told = arguments[command] or { call.key, call.key, call.key }
    if not redis.acl_check_cmd(command, unpack(told)) then
        return command
    end
end
return not redis.acl_check_cmd('zadd', call.other_key, '0', '') and 'zadd' or nil
