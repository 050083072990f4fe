-- Stores the outcomes of a worker's jobs. Only the owner of a job may finish it: the worker whose
-- token is in the key, or whose lease has expired if no other worker has claimed the job.
-- ARGV  for each job: id, token, outcome, number, result
--       'retry': ms until the next try; 'release': the same, but the try does not count;
--       'succeeded', 'failed', 'cancelled': lifetime of the result in ms (0: not stored), the result
-- Returns the ids that were refused.
local queue, running, retrying, limits, crashes, postponed, priority, later, wake, abort, events, counter_prefix,
  job_prefix, in_progress_prefix, retry_prefix, result_prefix, progress_prefix = unpack(KEYS)
local COUNTERS_LIFETIME = 7200

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local owner_keys = {}
for i = 1, #ARGV, 5 do owner_keys[#owner_keys + 1] = in_progress_prefix .. ARGV[i] end
local owners = redis.call('MGET', unpack(owner_keys))

local refused, ended, freed, keys, counts = {}, {}, {}, {}, {}
local last_token, prefix
local released = false
for i = 1, #ARGV, 5 do
  local id, token, outcome, number, result = unpack(ARGV, i, i + 4)
  local owner = owners[(i + 4) / 5]
  local mine
  if owner then
    if token ~= last_token then last_token, prefix = token, token .. '/' end
    mine = string.sub(owner, 1, #prefix) == prefix
  else
    mine = redis.call('ZSCORE', running, id)
  end
  if not mine then
    refused[#refused + 1] = id
  else
    freed[#freed + 1] = id
    keys[#keys + 1] = in_progress_prefix .. id
    if outcome == 'retry' or outcome == 'release' then
      local due = now + tonumber(number)
      redis.call('ZADD', queue, 'XX', due, id)
      local counted = tonumber(redis.pcall('GET', retry_prefix .. id))
      if outcome == 'release' then
        if counted then redis.pcall('DECR', retry_prefix .. id) end
        released = released or tonumber(number) == 0
      else
        if not counted then redis.call('SET', retry_prefix .. id, 1) end -- `claim` counts later tries
        keys[#keys + 1] = progress_prefix .. id
        redis.call('ZADD', retrying, due, id)
      end
      if redis.call('HEXISTS', priority, id) == 1 then redis.call('ZADD', later, due, id) end
    else
      ended[#ended + 1] = id
      keys[#keys + 1], keys[#keys + 2] = job_prefix .. id, retry_prefix .. id
      counts[outcome] = (counts[outcome] or 0) + 1
      -- If there is a result already, the job was canceled before it ended.
      if tonumber(number) > 0 then redis.call('SET', result_prefix .. id, result, 'PX', number, 'NX') end
    end
  end
end

if #freed > 0 then
  redis.pcall('PUBLISH', events, table.concat(freed, ' '))
  redis.call('DEL', unpack(keys))
  redis.call('ZREM', running, unpack(freed))
end
if #ended > 0 then
  redis.call('ZREM', queue, unpack(ended))
  -- Usually, there are no such jobs in the whole queue.
  if redis.call('EXISTS', crashes, postponed, priority, abort) > 0 then
    for _, hash in ipairs({crashes, postponed, priority}) do redis.call('HDEL', hash, unpack(ended)) end
    redis.call('ZREM', abort, unpack(ended))
  end
end
for outcome, count in pairs(counts) do
  local counter = counter_prefix .. outcome .. ':' .. math.floor(time[1] / 60)
  if redis.call('INCRBY', counter, count) == count then
    redis.call('EXPIRE', counter, COUNTERS_LIFETIME)
  end
end
-- If the concurrency is limited, workers with free slots wait for one of these jobs to end.
local room = #freed > 0 and redis.call('HEXISTS', limits, 'concurrency') == 1
  and #redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, 1) > 0
if (released or room) and redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
return refused
