-- Cancels a job. A waiting job is removed from its queue. A running job is stopped by its worker.
-- ARGV  id, result of the canceled job, lifetime of the result in ms, '1' if its row was deleted
-- Returns 'queued', 'running', 'ended' if the job has a result, or 'unknown'.
local queue, running, retrying, crashes, postponed, priority, later, abort, events,
  job_prefix, in_progress_prefix, retry_prefix, result_prefix, progress_prefix = unpack(KEYS)
local id, result, lifetime, decided = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local FORGET = 86400000

if not decided and redis.call('EXISTS', result_prefix .. id) == 1 then return 'ended' end

if redis.call('EXISTS', in_progress_prefix .. id) == 1 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  -- A stock arq worker leaves entries behind, which would cancel a later job with the same id.
  redis.call('ZREMRANGEBYSCORE', abort, '-inf', now - FORGET)
  redis.call('ZADD', abort, now, id)
  -- Without its row, the job cannot commit an effect, whatever outcome the worker sends later.
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
-- The result prevents an outbox relay that has just read the row from sending the job again.
redis.call('SET', result_prefix .. id, result, 'PX', lifetime)
redis.pcall('PUBLISH', events, id)
return 'queued'
