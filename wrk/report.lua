-- Prints the outcome of a wrk run as one line: the word BENCHLAB, a space, and a JSON object.
-- Durations are in microseconds, everything else is a count.

-- wrk's threads share one table of open files, and a table that several threads share grows only after the kernel has
-- waited for all its readers (synchronize_rcu). On a loaded host a wrk thread was seen stuck in that wait for a whole
-- sample, its connections open and silent. Grown here, before wrk starts its threads, the table costs no wait.
local ffi = require("ffi")
ffi.cdef("int dup2(int, int); int close(int);")
local highest = 32767  -- more than the lab's largest level; halved where the limit of open files is lower
while highest > 1024 and ffi.C.dup2(2, highest) ~= highest do
   highest = math.floor(highest / 2)
end
if highest > 1024 then
   ffi.C.close(highest)
end

local percentiles = { p50 = 50, p75 = 75, p90 = 90, p99 = 99, p99_9 = 99.9 }

-- JSON knows neither NaN nor infinity; without a single answer wrk's statistics may hold either.
local function number(value)
   if value ~= value or value == math.huge or value == -math.huge then
      return "0"
   end
   if value == math.floor(value) then
      return string.format("%.0f", value)
   end
   return string.format("%.3f", value)
end

local object
function object(fields)
   local parts = {}
   for name, value in pairs(fields) do
      local text = type(value) == "table" and object(value) or number(value)
      parts[#parts + 1] = string.format("%q:%s", name, text)
   end
   table.sort(parts)
   return "{" .. table.concat(parts, ",") .. "}"
end

function done(summary, latency, requests)
   local times = { mean_us = latency.mean, stdev_us = latency.stdev, max_us = latency.max }
   for name, percentile in pairs(percentiles) do
      times[name .. "_us"] = latency:percentile(percentile)
   end
   print("BENCHLAB " .. object({
      duration_us = summary.duration,
      requests = summary.requests,
      bytes = summary.bytes,
      latency = times,
      errors = summary.errors,
   }))
end
