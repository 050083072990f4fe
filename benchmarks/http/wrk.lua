-- The requests of a file, in turns. Prints what load.py reads.

local requests, position, number = {}, 0, 0

function init(args)
  local lines = {}
  for line in io.lines(args[1]) do
    lines[#lines + 1] = line
  end
  local method, body, count = lines[1], lines[2], tonumber(lines[3])
  local headers = {}
  for number = 4, 3 + count do
    local name, value = lines[number]:match("^(.-): (.*)$")
    headers[name] = value
  end
  if body == "" then
    body = nil
  end
  for number = 4 + count, #lines do
    requests[#requests + 1] = wrk.format(method, lines[number], headers, body)
  end
  if body and body:find("{n}", 1, true) then
    numbered = function()
      number = number + 1
      return wrk.format(method, lines[4 + count], headers, (body:gsub("{n}", number)))
    end
  end
end

function request()
  if numbered then
    return numbered()
  end
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"responses": %d, "failures": %d, "seconds": %.6f, "p50": %.9f, "p99": %.9f}',
    summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6
  ))
end
