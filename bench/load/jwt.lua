-- Asks for JWTs, with tokens in turn. Arguments: path, a file that returns {token, token, …}.
dofile('load.lua')

function init(arguments)
  for i, token in ipairs(dofile(arguments[2])) do
    local headers = {
      ['Authorization'] = 'Bearer ' .. token,
      ['Content-Type'] = 'application/json',
    }
    local body = '{"audience":"https://orders.example.com"}'
    requests[i] = wrk.format('POST', arguments[1], headers, body)
  end
end
