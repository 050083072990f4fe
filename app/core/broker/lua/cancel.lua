-- Cancels a job. A waiting job leaves its queue; the worker of a running one is told to stop it.
-- ARGV  id, the result that says so, its lifetime in ms, '1' when its row was removed for this
-- Returns 'queued' or 'running', 'ended' where it has a result, 'unknown'.
local queue, running, retrying, crashes, postponed, priority, later, abort, events,
  job_prefix, in_progress_prefix, retry_prefix, result_prefix, progress_prefix = unpack(KEYS)
local id, result, lifetime, decided = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local FORGET = 86400000

if not decided and redis.call('EXISTS', result_prefix .. id) == 1 then return 'ended' end

if redis.call('EXISTS', in_progress_prefix .. id) == 1 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- Jobs that a stock arq worker ended leave entries that would cancel a later job of the id.
  redis.call('ZREMRANGEBYSCORE', abort, '-inf', now - FORGET)
  redis.call('ZADD', abort, now, id)
  -- Without its row no effect can follow, whatever the worker reports later.
  if decided then redis.call('SET', result_prefix .. id, result, 'PX', lifetime) end
  redis.pcall('PUBLISH', events, id)
  return 'running'
end

local known = redis.call('DEL', job_prefix .. id) + redis.call('ZREM', queue, id)
if known == 0 and not decided then return 'unknown' end
redis.call('DEL', retry_prefix .. id, progress_prefix .. id)
redis.call('HDEL', crashes, id)
redis.call('HDEL', postponed, id)
redis.call('HDEL', priority, id)
for _, set in ipairs({running, retrying, later, abort}) do redis.call('ZREM', set, id) end
-- Kept, so that a relay that has just read the row cannot send the job again.
redis.call('SET', result_prefix .. id, result, 'PX', lifetime)
redis.pcall('PUBLISH', events, id)
return 'queued'
