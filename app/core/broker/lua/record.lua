-- Adds the statistics of a worker, and its latest tries.
-- ARGV  lifetime of a count in seconds, how many tries are stored, how many counts, how many ended;
--       for each count: minute and job class, field, number;
--       for each job that ended, then for each try that failed: time in ms, entry
local activity_prefix, finished, failures = unpack(KEYS)
local lifetime, kept, counts, ended = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local expires = {}
local at = 5
for i = 1, counts do
  local key = activity_prefix .. ARGV[at]
  redis.call('HINCRBY', key, ARGV[at + 1], ARGV[at + 2])
  if not expires[key] then
    redis.call('EXPIRE', key, lifetime)
    expires[key] = true
  end
  at = at + 3
end

local function remember(key, first, last)
  if first > last then return end
  redis.call('ZADD', key, unpack(ARGV, first, last))
  local extra = redis.call('ZCARD', key) - kept
  if extra > 0 then redis.call('ZREM', key, unpack(redis.call('ZRANGE', key, 0, extra - 1))) end
end
remember(finished, at, at + 2 * ended - 1)
remember(failures, at + 2 * ended, #ARGV)
return 0
