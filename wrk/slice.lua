-- A load of which a part in the middle, its window, is counted by wrk's own threads, and which ends by itself after it:
--     wrk ... -s /wrk/slice.lua http://crax:8080/json -- FILE DEPTH CONNECTIONS THREADS RAMP_US WINDOW_US LIST
-- FILE is memory that rounds.py reads meanwhile. Each thread has a place in it, 64 bytes from the one before: how many
-- requests it has begun so far, of pipelined ones how many batches of DEPTH; and the time and that count where its
-- window began and where it ended, 0 before. A connection begins a request when the one before was answered.
--
-- A thread's window begins RAMP_US after as many requests as it has connections were begun, and not before half as many
-- again were. It lasts WINDOW_US, and then until as many requests were begun as make a whole number for each
-- connection. A server that works on all requests at once answers nearly all of them at the same time, again and again;
-- what is counted so is the same wherever between two such waves the window begins, and however long they take. It begins
-- and ends with a request, so that its length is known to the microsecond, however late a process next to it may get a
-- CPU.
--
-- For the same reason the first thread reads the host's counters, at both ends of its own window: LIST names a file with
-- a path on each line, and what these hold goes into FILE behind the threads' places.

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
   long pread(int, void *, size_t, long);
   int fcntl(int, int, ...);
]]
local READ_ONLY, READ_WRITE, SHARED = 0, 2, 1
local PAGE, AREA, LONGEST = 65536, 262144, 32768
local BEFORE, AFTER, SIZE = PAGE, PAGE + AREA, PAGE + 2 * AREA
local PLACE, BEGUN, FROM_US, FROM, UNTIL_US, UNTIL, ENDED = 8, 0, 1, 2, 3, 4, 5  -- in words of 8 bytes
-- Of an area, in words: when it was read, how many requests all threads had begun by then, and when that was done.
-- Then, for each file, its size and what it holds, padded to whole words.
local READ_US, ALL_BEGUN, DONE_US, HEAD = 0, 1, 2, 3
-- A window begins when so many requests were begun, in times of the connections.
local BEGUN_BEFORE = 1.5
local CLOCK_MONOTONIC, SIGINT = 1, 2
-- Files get high numbers: wrk has room for no more low ones than its connections need.
local F_DUPFD, FIRST_HIGH = 0, 4096
local SOL_SOCKET, SO_LINGER, EBADF = 1, 13, 9
-- Files are numbered without gaps, but for what was closed since.
local MOST_MISSING = 100
local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

local memory, places, own, batch, connections, of, ramp_us, window_us
local files = {}
local begun, from_us, until_us = 0, nil, nil
local time = ffi.new("struct timespec")

local function now_us()
   ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
   return tonumber(time.seconds) * 1e6 + math.floor(tonumber(time.nanoseconds) / 1000)
end

local function opened(path)
   local file = ffi.C.open(path, READ_ONLY)
   local high = ffi.C.fcntl(file, F_DUPFD, ffi.new("int", FIRST_HIGH))
   if high < 0 then
      return file
   end
   ffi.C.close(file)
   return high
end

function init(args)
   local file = ffi.C.open(args[1], READ_WRITE)
   local mapped = ffi.C.mmap(nil, SIZE, 3, SHARED, file, 0)
   if file < 0 or ffi.cast("intptr_t", mapped) == -1 then
      error("slice.lua: cannot count in " .. tostring(args[1]))
   end
   memory = ffi.cast("char *", mapped)
   places = ffi.cast("uint64_t *", memory)
   own = places + number * PLACE
   batch = string.rep(wrk.format(), tonumber(args[2]))
   of = tonumber(args[4])
   connections = tonumber(args[3]) / of
   ramp_us, window_us = tonumber(args[5]), tonumber(args[6])
   if number == 0 then
      for path in io.lines(args[7]) do
         files[#files + 1] = opened(path)
      end
   end
end

local function read_counters(area)
   local head = ffi.cast("uint64_t *", memory + area)
   local read_us, all_begun, at = now_us(), 0, 8 * HEAD
   for thread = 0, of - 1 do
      all_begun = all_begun + places[thread * PLACE + BEGUN]
   end
   for _, file in ipairs(files) do
      local room = math.min(LONGEST, AREA - at - 8)
      local size = room > 0 and math.max(0, tonumber(ffi.C.pread(file, memory + area + at + 8, room, 0))) or 0
      ffi.cast("uint64_t *", memory + area + at)[0] = size
      at = at + 8 + 8 * math.ceil(size / 8)
   end
   head[ALL_BEGUN], head[DONE_US] = all_begun, now_us()
   head[READ_US] = read_us
end

-- The last thread whose window is over ends itself and has wrk end; the others end themselves at their next request. One
-- that has none looks ten times a second whether wrk is to end.
local function end_if_all_are_over()
   for thread = 0, of - 1 do
      if places[thread * PLACE + UNTIL_US] == 0 then
         return
      end
   end
   if own[ENDED] == 0 then
      own[ENDED] = 1
      ffi.C.kill(ffi.C.getpid(), SIGINT)
   end
   wrk.thread:stop()
end

local function begin_window()
   if number == 0 then
      read_counters(BEFORE)
   end
   from_us = now_us()
   own[FROM] = begun
   own[FROM_US] = from_us
end

local function end_window(now)
   until_us = now
   own[UNTIL] = begun
   own[UNTIL_US] = now
   if number == 0 then
      read_counters(AFTER)
   end
   end_if_all_are_over()
end

function request()
   begun = begun + 1
   own[BEGUN] = begun
   if until_us ~= nil then
      end_if_all_are_over()
   elseif begun >= connections then
      local now = now_us()
      if from_us == nil then
         from_us = now + ramp_us
      elseif own[FROM_US] == 0 then
         if now >= from_us and begun >= BEGUN_BEFORE * connections then
            begin_window()
         end
      elseif now >= from_us + window_us and (begun - own[FROM]) % connections == 0 then
         end_window(now)
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
