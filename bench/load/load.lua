-- What all loads share.

-- Each thread gets an id: 0, 1, …
local threads = 0
function setup(thread)
  thread:set('id', threads)
  threads = threads + 1
end

-- What a load sends that has no `request` of its own: what its `init` puts in here, in turn.
requests = {}
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end

function post(path, body)
  return wrk.format('POST', path, { ['Content-Type'] = 'application/json' }, body)
end

-- What is printed in the end.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
