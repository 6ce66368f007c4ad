-- HTTP pipelining: each write carries a batch of requests. The depth is the script's argument:
--     wrk ... -s /wrk/pipeline.lua http://tfb-server:8080/plaintext -- 16
-- wrk measures latency per batch then, from its write to its last answer.

dofile("/wrk/report.lua")

local batch

function init(args)
   local depth = tonumber(args[1])
   if not depth or depth < 1 or depth ~= math.floor(depth) then
      error("pipeline.lua: the depth must be a whole number from 1, given after --")
   end
   batch = string.rep(wrk.format(), depth)  -- wrk.format() carries the headers given with -H
end

function request()
   return batch
end
