-- Removes jobs that no worker has claimed, so that their ids can be sent again.
-- ARGV  ids
-- Returns the ids that a worker has claimed.
local queue, running, retrying, crashes, postponed, priority, later, abort,
  job_prefix, in_progress_prefix, retry_prefix, result_prefix, progress_prefix = unpack(KEYS)

local held = {}
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', in_progress_prefix .. id) == 1 then
    held[#held + 1] = id
  else
    redis.call('DEL', job_prefix .. id, result_prefix .. id, retry_prefix .. id, progress_prefix .. id)
    redis.call('HDEL', crashes, id)
    redis.call('HDEL', postponed, id)
    redis.call('HDEL', priority, id)
    for _, set in ipairs({queue, running, retrying, later, abort}) do redis.call('ZREM', set, id) end
  end
end
return held
