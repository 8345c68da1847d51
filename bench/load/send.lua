-- Asks for a code, each time for another number. Arguments: path, first number to use.
dofile('result.lua')

local threads = 0
function setup(thread)
  thread:set('id', threads)
  threads = threads + 1
end

function init(arguments)
  path, number = arguments[1], tonumber(arguments[2]) + id
end

function request()
  number = number + 2
  return wrk.format('POST', path, { ['Content-Type'] = 'application/json' },
    string.format('{"name":"Asha","phone_number":"+9198%08d"}', number))
end
