-- Sends the prebuilt requests of the file POOL in turn, and says what came of it as one line of JSON.
local requests, next_one = {}, 0

function init()
  local file = assert(io.open(os.getenv("POOL"), "rb"))
  local all = file:read("*a")
  file:close()
  local at = 1
  while at <= #all do
    local a, b, c, d = all:byte(at, at + 3)
    local length = a + 256 * (b + 256 * (c + 256 * d))
    requests[#requests + 1] = all:sub(at + 4, at + 3 + length)
    at = at + 4 + length
  end
  next_one = math.random(#requests)
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"refused":%d,"broken":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
