-- Says that a worker lives, and extends the leases of the jobs that it runs.
-- KEYS  queue, running, workers, description of this worker
-- ARGV  worker, its description, lifetime of that in ms, lease in ms, then for each job: id, token
-- Returns the ids that somebody else holds.
local queue, running, workers, description = unpack(KEYS)
local worker, text, lifetime, lease = unpack(ARGV)
local FORGET = 86400000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', description, text, 'PX', lifetime)
redis.call('ZADD', workers, time[1], worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', time[1] - lifetime / 1000)
-- Left behind where a stock arq worker took over.
redis.call('ZREMRANGEBYSCORE', running, '-inf', now - FORGET)

local lost = {}
for i = 5, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local owner = redis.call('GET', 'arq:in-progress:' .. id)
  if owner and string.sub(owner, 1, #token + 1) ~= token .. '/' then
    lost[#lost + 1] = id
  elseif owner or redis.call('ZSCORE', running, id) then
    redis.call('SET', 'arq:in-progress:' .. id, owner or (token .. '/' .. now), 'PX', lease)
    redis.call('ZADD', queue, 'XX', now + lease, id)
    redis.call('ZADD', running, now + lease, id)
  end
end
return lost
