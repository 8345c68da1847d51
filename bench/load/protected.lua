-- Shows tokens, in turn. Arguments: path, a file that returns {token, token, …}.
dofile('load.lua')

function init(arguments)
  for i, token in ipairs(dofile(arguments[2])) do
    requests[i] = wrk.format('GET', arguments[1], { ['Authorization'] = 'Bearer ' .. token })
  end
end
