-- Makes a queue forget jobs, so that their ids can be sent as new ones, unless a worker holds them.
-- KEYS  queue, running, crashes, priority, later
-- ARGV  ids
-- Returns the ids that a worker holds.
local queue, running, crashes, priorities, later = unpack(KEYS)

local held = {}
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
    held[#held + 1] = id
  else
    redis.call('DEL', 'arq:job:' .. id, 'arq:result:' .. id, 'arq:retry:' .. id, 'arq:progress:' .. id)
    redis.call('HDEL', crashes, id)
    redis.call('HDEL', priorities, id)
    for _, set in ipairs({queue, running, later, 'arq:abort'}) do redis.call('ZREM', set, id) end
  end
end
return held
