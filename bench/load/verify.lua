-- Signs in with codes that were asked for before. Arguments: path, a file that returns {number,
-- code, number, code, …}.
dofile('load.lua')

function init(arguments)
  path, guesses, at = arguments[1], dofile(arguments[2]), 2 * id - 3
end

function request()
  at = at + 4
  return post(path, string.format('{"phone_number":"%s","otp":"%s"}', guesses[at] or '', guesses[at + 1] or ''))
end
