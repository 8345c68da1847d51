-- Asks whose a token is. Arguments: the client's credentials in base64, a file that returns {token, token, …}.
dofile('load.lua')

function init(arguments)
  local headers = {
    ['Authorization'] = 'Basic ' .. arguments[1],
    ['Content-Type'] = 'application/x-www-form-urlencoded',
  }
  for i, token in ipairs(dofile(arguments[2])) do
    requests[i] = wrk.format('POST', '/oauth/introspect', headers, 'token=' .. token)
  end
end
