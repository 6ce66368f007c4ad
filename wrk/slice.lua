-- A load of which a part in the middle is counted: every request is, in memory that rounds.py reads while wrk runs.
--     wrk ... -s /wrk/slice.lua http://crax:8080/json -- FILE DEPTH
-- FILE has a place for each thread, 64 bytes apart; in it stands how many requests the thread has begun, of pipelined
-- ones how many batches of DEPTH. A connection begins one when the one before was answered.

dofile("/wrk/report.lua")

local ffi = require("ffi")
ffi.cdef [[
   int open(const char *, int, ...);
   void *mmap(void *, size_t, int, int, int, long);
   int setsockopt(int, int, int, const void *, unsigned int);
   struct linger { int on; int seconds; };
]]
local READ_WRITE, SHARED, PLACE = 2, 1, 8  -- the place in words of 8 bytes
local PAGE = 65536
local SOL_SOCKET, SO_LINGER, EBADF = 1, 13, 9
-- Files are numbered without gaps, but for what was closed since.
local MOST_MISSING = 100
local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local begun, batch

function init(args)
   local file = ffi.C.open(args[1], READ_WRITE)
   local memory = ffi.C.mmap(nil, PAGE, 3, SHARED, file, 0)
   if file < 0 or ffi.cast("intptr_t", memory) == -1 then
      error("slice.lua: cannot count in " .. tostring(args[1]))
   end
   begun = ffi.cast("uint64_t *", memory) + number * PLACE
   batch = string.rep(wrk.format(), tonumber(args[2]))
end

function request()
   begun[0] = begun[0] + 1
   return batch
end

-- wrk ends with its connections open. Closed in order, each of them would hold its port for a minute (TIME_WAIT), and
-- a minute of slices needs more ports than there are; reset, none does.
local report = done
function done(...)
   local linger = ffi.new("struct linger", 1, 0)
   local file, missing = 3, 0
   while missing < MOST_MISSING do
      local failed = ffi.C.setsockopt(file, SOL_SOCKET, SO_LINGER, linger, ffi.sizeof(linger)) ~= 0
      missing = failed and ffi.errno() == EBADF and missing + 1 or 0
      file = file + 1
   end
   report(...)
end
