-- Sends jobs to a queue, each id once: a job that waits, runs, or has a result does not change.
-- ARGV  for each job: id, payload, due time in ms (0: at once), priority in minutes of waiting
-- Returns how many were new.
local queue, wake, priority, later, events, job_prefix, result_prefix = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local entries, ids = {}, {}
for i = 1, #ARGV, 4 do
  local id, payload, due, minutes = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  if redis.call('EXISTS', result_prefix .. id) == 0
    and redis.call('SET', job_prefix .. id, payload, 'NX') then
    local score = due > 0 and due or now
    if minutes > 0 then
      redis.call('HSET', priority, id, minutes)
      if score <= now then
        score = score - minutes * 60000
      else
        redis.call('ZADD', later, score, id) -- `claim` moves it forward when it is due
      end
    end
    entries[#entries + 1], entries[#entries + 2] = score, id
    ids[#ids + 1] = id
  end
end

if #entries == 0 then return 0 end
redis.call('ZADD', queue, unpack(entries))
if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
redis.pcall('PUBLISH', events, table.concat(ids, ' '))
return #entries / 2
