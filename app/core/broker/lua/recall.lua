-- Makes postponed jobs due at once, because a worker of another release has started.
local queue, running, postponed = unpack(KEYS)
local BATCH = 5000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i, id in ipairs(redis.call('HKEYS', postponed)) do
  if i > BATCH then break end
  if not redis.call('ZSCORE', queue, id) then
    redis.call('HDEL', postponed, id)
  elseif not redis.call('ZSCORE', running, id) then
    redis.call('ZADD', queue, 'XX', 'LT', now, id)
  end
end
