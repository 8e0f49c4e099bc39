-- Sends prepared requests in rotation; the last line of output is the result as JSON.
--
--   wrk -t1 -c32 -d10s -s bench/wrk.lua http://127.0.0.1:8000 -- REQUESTS [bodies]
--
-- REQUESTS is a file with one request per line, its fields separated by tabs: method, path, then headers
-- as "Name: value"; a body is last, after an empty field, and contains no tab and no line break.
-- "{new}" in a body is replaced by a different word each time it is sent.
-- Each thread starts at a random request.
--
-- Times are in microseconds. "status_errors" counts responses of status 400 and above. With "bodies"
-- each response is checked, which slows wrk down: "bad_answers" then counts those that are not 2xx and
-- those whose body is null, which is Better Auth's response without a session.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

local prepared, position = {}, 0
bad_answers = 0

local function parsed(line)
  local fields = {}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do
    table.insert(fields, field)
  end
  local headers, body = {}, nil
  for index = 3, #fields do
    if fields[index] == "" then
      body = fields[index + 1]
      break
    end
    local name, value = fields[index]:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  if body and body:find("{new}", 1, true) then
    return { fields[1], fields[2], headers, body }
  end
  return wrk.format(fields[1], fields[2], headers, body)
end

local sent, run = 0, ""

local function with_new(template)
  sent = sent + 1
  local body = template[4]:gsub("{new}", run .. sent)
  return wrk.format(template[1], template[2], template[3], body)
end

function init(args)
  for line in io.lines(args[1]) do
    table.insert(prepared, parsed(line))
  end
  math.randomseed(os.time() + 7919 * number)
  run = string.format("%x-%d-", math.random(2 ^ 31), number)
  position = math.random(#prepared)
  if args[2] == "bodies" then
    response = function(status, _, body)
      if status < 200 or status > 299 or body == "null" then
        bad_answers = bad_answers + 1
      end
    end
  end
end

function request()
  position = position % #prepared + 1
  local next = prepared[position]
  return type(next) == "table" and with_new(next) or next
end

function done(summary, latency, _)
  local errors, bad = summary.errors, 0
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("bad_answers")
  end
  print(string.format(
    '{"requests": %d, "duration_us": %d, "bytes": %d, "status_errors": %d, "socket_errors": %d, '
      .. '"bad_answers": %d, "p50": %d, "p90": %d, "p99": %d, "p99.9": %d, "max": %d}',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, bad,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max
  ))
end
