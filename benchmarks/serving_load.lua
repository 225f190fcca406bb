-- What wrk sends, after `--`:
--   recommend VISITORS        a list of ten for each visitor in turn
--   events RUN ITEMS          ten new events a request; RUN makes their ids new
-- The last line of what it prints is JSON.

local VISITORS_OF_EVENTS, BATCH = 5000, 10
local headers = { ["Content-Type"] = "application/json" }
local sent, threads = 0, 0
local bodies = {}

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function recommend(visitors)
  for visitor = 0, visitors - 1 do
    local body = string.format('{"user_id": "u%d", "k": 10}', visitor)
    bodies[visitor] = wrk.format("POST", "/v1/recommendations", headers, body)
  end
  sent = number * 1000
  return function()
    sent = sent + 1
    return bodies[sent % visitors]
  end
end

local function events(run, items)
  local form = '{"event_id": "%s-%d-%d", "user_id": "u%d", "item_id": "%d", "kind": "view"}'
  return function()
    local batch = {}
    for place = 1, BATCH do
      sent = sent + 1
      batch[place] = string.format(form, run, number, sent, sent * 7 % VISITORS_OF_EVENTS, sent * 31 % items + 1)
    end
    return wrk.format("POST", "/v1/events", headers, "[" .. table.concat(batch, ",") .. "]")
  end
end

function init(args)
  request = args[1] == "events" and events(args[2], tonumber(args[3])) or recommend(tonumber(args[2]))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d, "over_2_s": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout
  ))
end
