-- Cancels a job: one that waits leaves its queue, the worker of one that runs is told to stop.
-- KEYS  queue, running, crashes, priority, later
-- ARGV  id, the result that says so, lifetime of that in ms, '1' where its row was removed for this
-- Returns 'queued' or 'running', 'ended' where it has a result, 'unknown'.
local queue, running, crashes, priorities, later = unpack(KEYS)
local id, result, lifetime, decided = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local FORGET = 86400000

if not decided and redis.call('EXISTS', 'arq:result:' .. id) == 1 then return 'ended' end

if redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- Left behind by jobs that a stock arq worker ended: they would cancel a later job of the id.
  redis.call('ZREMRANGEBYSCORE', 'arq:abort', '-inf', now - FORGET)
  redis.call('ZADD', 'arq:abort', now, id)
  -- Without its row no effect can follow, whatever the worker says of the job later.
  if decided then redis.call('SET', 'arq:result:' .. id, result, 'PX', lifetime) end
  return 'running'
end

local known = redis.call('DEL', 'arq:job:' .. id) + redis.call('ZREM', queue, id)
if known == 0 and not decided then return 'unknown' end
redis.call('DEL', 'arq:retry:' .. id, 'arq:progress:' .. id)
redis.call('HDEL', crashes, id)
redis.call('HDEL', priorities, id)
for _, set in ipairs({running, later, 'arq:abort'}) do redis.call('ZREM', set, id) end
-- Kept, so that a sweeper that has just read the row cannot send the job again.
redis.call('SET', 'arq:result:' .. id, result, 'PX', lifetime)
return 'queued'
