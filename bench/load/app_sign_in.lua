-- Signs users in to an app: asks for a code, then for its tokens. Arguments: path and query of the first, the client's
-- credentials in base64 and what goes with a code, each after a blank; a file that returns {cookie, cookie, …}.
dofile('load.lua')

local codes, headers, form = {}, {}, nil
local ask = request

function init(arguments)
  local path, credentials, rest = arguments[1]:match('^(%S+) (%S+) (%S+)$')
  form = rest
  headers['Authorization'] = 'Basic ' .. credentials
  headers['Content-Type'] = 'application/x-www-form-urlencoded'
  for i, cookie in ipairs(dofile(arguments[2])) do
    requests[i] = wrk.format('GET', path, { ['Cookie'] = '__Host-cheershare=' .. cookie })
  end
end

function request()
  local code = table.remove(codes)
  if not code then return ask() end
  return wrk.format('POST', '/oauth/token', headers, form .. '&code=' .. code)
end

function response(_, answered)
  local location = answered['location'] or answered['Location']
  local code = location and location:match('[?&]code=([%w_-]+)')
  if code then codes[#codes + 1] = code end
end
