-- Removes jobs that no worker has claimed, so that their ids can be sent again.
-- ARGV  ids
-- Returns the ids that a worker has claimed.
local queue, running, retrying, crashes, postponed, priority, later, abort,
  job_prefix, in_progress_prefix, retry_prefix, result_prefix, progress_prefix = unpack(KEYS)

local owner_keys = {}
for i, id in ipairs(ARGV) do owner_keys[i] = in_progress_prefix .. id end
local owners = redis.call('MGET', unpack(owner_keys))

local held, free, keys = {}, {}, {}
for i, id in ipairs(ARGV) do
  if owners[i] then
    held[#held + 1] = id
  else
    free[#free + 1] = id
    for _, prefix in ipairs({job_prefix, result_prefix, retry_prefix, progress_prefix}) do
      keys[#keys + 1] = prefix .. id
    end
  end
end

if #free > 0 then
  redis.call('DEL', unpack(keys))
  for _, hash in ipairs({crashes, postponed, priority}) do redis.call('HDEL', hash, unpack(free)) end
  for _, set in ipairs({queue, running, retrying, later, abort}) do redis.call('ZREM', set, unpack(free)) end
end
return held
