-- Records that a worker is alive, and extends the leases of its jobs.
-- ARGV  worker, its info, lifetime of the info in ms, lease in ms, then for each job: id, token
-- Returns the ids that another worker has claimed.
local queue, running, retrying, workers, worker_prefix, in_progress_prefix = unpack(KEYS)
local worker, text, lifetime, lease = unpack(ARGV)
local FORGET = 86400000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', worker_prefix .. worker, text, 'PX', lifetime)
redis.call('ZADD', workers, time[1], worker)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', time[1] - lifetime / 1000)
-- A stock arq worker that takes over a job leaves its entry behind.
redis.call('ZREMRANGEBYSCORE', running, '-inf', now - FORGET)
redis.call('ZREMRANGEBYSCORE', retrying, '-inf', now - FORGET)

local lost = {}
for i = 5, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local owner = redis.call('GET', in_progress_prefix .. id)
  if owner and string.sub(owner, 1, #token + 1) ~= token .. '/' then
    lost[#lost + 1] = id
  elseif owner or redis.call('ZSCORE', running, id) then
    redis.call('SET', in_progress_prefix .. id, owner or (token .. '/' .. now), 'PX', lease)
    redis.call('ZADD', queue, 'XX', now + lease, id)
    redis.call('ZADD', running, now + lease, id)
  end
end
return lost
