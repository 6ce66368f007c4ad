-- A load of which a part in the middle, its window, is counted by wrk's own threads, and which ends by itself after it:
--     wrk ... -s /wrk/slice.lua http://crax:8080/json -- FILE DEPTH CONNECTIONS THREADS RAMP_US WINDOW_US
-- FILE is memory that rounds.py reads meanwhile. Each thread has a place in it, 64 bytes from the one before: how many
-- requests it has begun so far, of pipelined ones how many batches of DEPTH; and the time and that count where its
-- window began and where it ended, 0 before. A connection begins a request when the one before was answered.
--
-- A thread's window begins RAMP_US after each of its connections has begun a request. It begins and ends with a request,
-- so that its length is known to the microsecond, however late a process next to it may get a CPU.

dofile("/wrk/report.lua")

local ffi = require("ffi")
ffi.cdef [[
   int open(const char *, int, ...);
   void *mmap(void *, size_t, int, int, int, long);
   int setsockopt(int, int, int, const void *, unsigned int);
   int getpid(void);
   int kill(int, int);
   struct linger { int on; int seconds; };
   struct timespec { long seconds; long nanoseconds; };
   int clock_gettime(int, struct timespec *);
]]
local READ_WRITE, SHARED, PAGE = 2, 1, 65536
local PLACE, BEGUN, FROM_US, FROM, UNTIL_US, UNTIL = 8, 0, 1, 2, 3, 4  -- in words of 8 bytes
local CLOCK_MONOTONIC, SIGINT = 1, 2
local SOL_SOCKET, SO_LINGER, EBADF = 1, 13, 9
-- Files are numbered without gaps, but for what was closed since.
local MOST_MISSING = 100
local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local places, own, batch, connections, of, ramp_us, window_us
local begun, from_us, until_us = 0, nil, nil
local time = ffi.new("struct timespec")

local function now_us()
   ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
   return tonumber(time.seconds) * 1e6 + math.floor(tonumber(time.nanoseconds) / 1000)
end

function init(args)
   local file = ffi.C.open(args[1], READ_WRITE)
   local memory = ffi.C.mmap(nil, PAGE, 3, SHARED, file, 0)
   if file < 0 or ffi.cast("intptr_t", memory) == -1 then
      error("slice.lua: cannot count in " .. tostring(args[1]))
   end
   places = ffi.cast("uint64_t *", memory)
   own = places + number * PLACE
   batch = string.rep(wrk.format(), tonumber(args[2]))
   of = tonumber(args[4])
   connections = tonumber(args[3]) / of
   ramp_us, window_us = tonumber(args[5]), tonumber(args[6])
end

-- The last thread whose window is over ends wrk.
local function end_if_all_are_over()
   for thread = 0, of - 1 do
      if places[thread * PLACE + UNTIL_US] == 0 then
         return
      end
   end
   ffi.C.kill(ffi.C.getpid(), SIGINT)
end

function request()
   begun = begun + 1
   own[BEGUN] = begun
   if until_us == nil and begun >= connections then
      local now = now_us()
      if from_us == nil then
         from_us = now + ramp_us
      elseif own[FROM_US] == 0 then
         if now >= from_us then
            own[FROM] = begun
            own[FROM_US] = now
            from_us = now
         end
      elseif now >= from_us + window_us then
         until_us = now
         own[UNTIL] = begun
         own[UNTIL_US] = now
         end_if_all_are_over()
      end
   end
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
