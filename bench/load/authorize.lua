-- Asks for codes with sessions' cookies, in turn. Arguments: path and query, a file that returns {cookie, cookie, …}.
dofile('load.lua')

function init(arguments)
  for i, cookie in ipairs(dofile(arguments[2])) do
    requests[i] = wrk.format('GET', arguments[1], { ['Cookie'] = '__Host-cheershare=' .. cookie })
  end
end
