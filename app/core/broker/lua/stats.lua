-- Returns the statistics of a queue.
-- ARGV  seconds after which a silent worker counts as dead, minutes of activity
-- Returns {due, age of the oldest of them in ms or -1, running, scheduled, workers,
--          succeeded and failed in the last full minute, the same of the last five,
--          paused, rate, concurrency; each of these '' if it is not set,
--          jobs that wait for their next try, slots of all workers,
--          the values of the postponed jobs, the counts of each minute, the current one last}.
local queue, running, retrying, priority, postponed, workers, worker_prefix, limits, counter_prefix,
  activity_prefix = unpack(KEYS)
local MINUTE, SAMPLE_SIZE = 60000, 100

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local due = redis.call('ZCOUNT', queue, '-inf', now)
local runs = redis.call('ZCOUNT', running, '(' .. now, '+inf')

-- The score of a job with a priority is earlier than its due time.
local oldest = -1
local first = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, SAMPLE_SIZE)
for i = 1, #first, 2 do
  local minutes = redis.call('HGET', priority, first[i]) or 0
  oldest = math.max(oldest, now - first[i + 1] - minutes * MINUTE, 0)
end

local function ended(outcome, minutes)
  local sum, current = 0, math.floor(time[1] / 60)
  for minute = current - minutes, current - 1 do
    sum = sum + (redis.call('GET', counter_prefix .. outcome .. ':' .. minute) or 0)
  end
  return sum
end

local slots = 0
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', workers, time[1] - ARGV[1], '+inf')) do
  local info = redis.call('GET', worker_prefix .. worker)
  slots = slots + (info and string.match(info, '"concurrency":(%d+)') or 0)
end

local activity, current = {}, math.floor(time[1] / 60)
for minute = current - ARGV[2] + 1, current do
  activity[#activity + 1] = redis.call('HGETALL', activity_prefix .. minute)
end

local set = redis.call('HMGET', limits, 'paused', 'rate', 'concurrency')
return {
  due, oldest, runs, redis.call('ZCARD', queue) - due - runs,
  redis.call('ZCOUNT', workers, time[1] - ARGV[1], '+inf'),
  ended('succeeded', 1), ended('failed', 1), ended('succeeded', 5), ended('failed', 5),
  set[1] or '', set[2] or '', set[3] or '',
  redis.call('ZCARD', retrying), slots, redis.call('HVALS', postponed), activity,
}
