-- Asks for a code, each time for another number. Arguments: path, first number to use.
dofile('load.lua')

function init(arguments)
  path, number = arguments[1], tonumber(arguments[2]) + id
end

function request()
  number = number + 2
  return post(path, string.format('{"name":"Asha","phone_number":"+9198%08d"}', number))
end
