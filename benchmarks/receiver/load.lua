-- Sends track events of about 1.1 kB, alone or in batches, each with a messageId of its own.
-- wrk -s load.lua URL -- <authorization header> <events per request> <prefix of the ids> <pause>
-- The pause is what a connection waits between two requests, in milliseconds.
local EVENT = [[","type":"track","event":"Product Viewed","anonymousId":"0b9c5f3e-8c1d-4d5e-9a56-7f2d1c3b4a59","userId":"user-4711","timestamp":"2026-11-22T05:24:46.123Z","context":{"library":{"name":"analytics.js","version":"npm:next-1.81.0"},"ip":"203.0.113.47","locale":"en-GB","timezone":"Europe/Berlin","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","page":{"path":"/products/walking-boots","referrer":"https://www.example.com/","search":"?colour=brown","title":"Walking boots, brown | Example","url":"https://www.example.com/products/walking-boots?colour=brown"},"campaign":{"name":"autumn","source":"newsletter","medium":"email"}},"properties":{"product_id":"507f1f77bcf86cd799439011","sku":"G-32","category":"Shoes","name":"Walking boots","brand":"Example","variant":"brown","price":139.95,"quantity":1,"coupon":"MAYDEALS","currency":"EUR","position":3,"value":139.95,"image_url":"https://www.example.com/images/walking-boots.jpg"},"integrations":{"All":true}}]]

local threads = 0

function setup(thread)
  thread:set("thread_number", threads)
  threads = threads + 1
end

function init(args)
  size = tonumber(args[2])
  prefix = string.format('{"messageId":"%s-%02d-', args[3], thread_number)
  sent = 0
  pause = tonumber(args[4])
  if pause > 0 then
    function delay() return math.floor(2 * pause * math.random()) end
  end
  local one = #prefix + 10 + #EVENT
  local length = size == 1 and one or #'{"batch":[' + size * one + size - 1 + #'],"sentAt":"2026-11-22T05:24:46.456Z"}'
  head = "POST /v1/" .. (size == 1 and "track" or "batch") .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n" ..
    "Authorization: " .. args[1] .. "\r\nUser-Agent: analytics-bench/1.0\r\n" ..
    "Content-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
  parts = {}
end

function request()
  if size == 1 then
    sent = sent + 1
    return head .. prefix .. string.format("%010d", sent) .. EVENT
  end
  parts[1] = head
  parts[2] = '{"batch":['
  local at = 2
  for i = 1, size do
    sent = sent + 1
    parts[at + 1] = i == 1 and prefix or "," .. prefix
    parts[at + 2] = string.format("%010d", sent)
    parts[at + 3] = EVENT
    at = at + 3
  end
  parts[at + 1] = '],"sentAt":"2026-11-22T05:24:46.456Z"}'
  return table.concat(parts)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"not_2xx":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
