-- Shows tokens, in turn. Arguments: path, a file that returns {token, token, …}.
dofile('load.lua')

function init(arguments)
  tokens, at = dofile(arguments[2]), 0
  requests = {}
  for i, token in ipairs(tokens) do
    requests[i] = wrk.format('GET', arguments[1], { ['Authorization'] = 'Bearer ' .. token })
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
