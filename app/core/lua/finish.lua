-- Takes back what a worker has done. Only the owner is heard: the one whose token stands there, or
-- whose lease is over while nobody else has taken the job.
-- KEYS  queue, running, crashes, priority, later, wake, prefix of the counters per minute
-- ARGV  for each job: id, token, outcome, number, result
--       'retry': ms until the next try; 'release': it goes back and the try does not count;
--       'succeeded', 'failed', 'cancelled': lifetime of the result in ms (0: not kept), the result
-- Returns the ids that were refused.
local queue, running, crashes, priorities, later, wake, counters = unpack(KEYS)
local COUNTERS_LIFETIME = 7200

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local owner_keys = {}
for i = 1, #ARGV, 5 do owner_keys[#owner_keys + 1] = 'arq:in-progress:' .. ARGV[i] end
local owners = redis.call('MGET', unpack(owner_keys))

local refused, ended, freed, keys, counts = {}, {}, {}, {}, {}
local released = false
for i = 1, #ARGV, 5 do
  local id, token, outcome, number, result = unpack(ARGV, i, i + 4)
  local owner = owners[(i + 4) / 5]
  local mine
  if owner then
    mine = string.sub(owner, 1, #token + 1) == token .. '/'
  else
    mine = redis.call('ZSCORE', running, id)
  end
  if not mine then
    refused[#refused + 1] = id
  else
    freed[#freed + 1] = id
    keys[#keys + 1] = 'arq:in-progress:' .. id
    if outcome == 'retry' or outcome == 'release' then
      local due = now + tonumber(number)
      redis.call('ZADD', queue, 'XX', due, id)
      if outcome == 'release' then
        redis.pcall('DECR', 'arq:retry:' .. id)
        released = true
      else
        keys[#keys + 1] = 'arq:progress:' .. id
      end
      if redis.call('HEXISTS', priorities, id) == 1 then redis.call('ZADD', later, due, id) end
    else
      ended[#ended + 1] = id
      keys[#keys + 1], keys[#keys + 2] = 'arq:job:' .. id, 'arq:retry:' .. id
      counts[outcome] = (counts[outcome] or 0) + 1
      if tonumber(number) > 0 then redis.call('SET', 'arq:result:' .. id, result, 'PX', number) end
    end
  end
end

if #freed > 0 then
  redis.call('DEL', unpack(keys))
  redis.call('ZREM', running, unpack(freed))
end
if #ended > 0 then
  redis.call('ZREM', queue, unpack(ended))
  redis.call('HDEL', crashes, unpack(ended))
  redis.call('HDEL', priorities, unpack(ended))
  redis.call('ZREM', 'arq:abort', unpack(ended))
end
for outcome, count in pairs(counts) do
  local counter = counters .. outcome .. ':' .. math.floor(time[1] / 60)
  if redis.call('INCRBY', counter, count) == count then
    redis.call('EXPIRE', counter, COUNTERS_LIFETIME)
  end
end
if released and redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
return refused
