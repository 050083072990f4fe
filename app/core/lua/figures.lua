-- Tells how a queue stands, all of it at one moment.
-- KEYS  queue, running, priority, workers, control, prefix of the counters per minute
-- ARGV  seconds after which a silent worker counts as dead
-- Returns {due, age of the oldest of them in ms or -1, running, scheduled, workers,
--          succeeded and failed in the last full minute, the same of the last five,
--          paused, rate, concurrency; each of these '' where it is not set}.
local queue, running, priorities, workers, control, counters = unpack(KEYS)
local MINUTE, LOOK_AT = 60000, 100

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local due = redis.call('ZCOUNT', queue, '-inf', now)
local runs = redis.call('ZCOUNT', running, '(' .. now, '+inf')

-- A priority stands in the score as time that was not waited.
local oldest = -1
local first = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, LOOK_AT)
for i = 1, #first, 2 do
  local minutes = redis.call('HGET', priorities, first[i]) or 0
  oldest = math.max(oldest, now - first[i + 1] - minutes * MINUTE, 0)
end

local function ended(outcome, minutes)
  local sum, current = 0, math.floor(time[1] / 60)
  for minute = current - minutes, current - 1 do
    sum = sum + (redis.call('GET', counters .. outcome .. ':' .. minute) or 0)
  end
  return sum
end

local limits = redis.call('HMGET', control, 'paused', 'rate', 'concurrency')
return {
  due, oldest, runs, redis.call('ZCARD', queue) - due - runs,
  redis.call('ZCOUNT', workers, time[1] - ARGV[1], '+inf'),
  ended('succeeded', 1), ended('failed', 1), ended('succeeded', 5), ended('failed', 5),
  limits[1] or '', limits[2] or '', limits[3] or '',
}
