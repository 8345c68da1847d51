-- Signs in with codes that were asked for before. Arguments: path, a file that returns {number, code, number, code, …}.
dofile('result.lua')

local threads = 0
function setup(thread)
  thread:set('id', threads)
  threads = threads + 1
end

function init(arguments)
  path, guesses, at = arguments[1], dofile(arguments[2]), 2 * id - 3
end

function request()
  at = at + 4
  return wrk.format('POST', path, { ['Content-Type'] = 'application/json' },
    string.format('{"phone_number":"%s","otp":"%s"}', guesses[at] or '', guesses[at + 1] or ''))
end
