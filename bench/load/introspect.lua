-- Asks whose a token is. Arguments: the client's credentials in base64, a file that returns {token, token, …}.
dofile('load.lua')

function init(arguments)
  tokens, at = dofile(arguments[2]), 0
  requests = {}
  local headers = {
    ['Authorization'] = 'Basic ' .. arguments[1],
    ['Content-Type'] = 'application/x-www-form-urlencoded',
  }
  for i, token in ipairs(tokens) do
    requests[i] = wrk.format('POST', '/oauth/introspect', headers, 'token=' .. token)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
