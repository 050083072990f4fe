-- Fills a worker's free slots with due jobs, each under a lease.
-- KEYS  queue, running, control, crashes, priority, later, wake, suspect, clock
-- ARGV  token, free slots, jobs that run here, lease in ms, id of a suspect to run alone or ''
-- Returns {ms until something is due or -1, id of a suspect to run alone or '', cancelled ids,
--          then for each job: id, payload or nil, tries, crashes}.
local queue, running, control, crashes, priorities, later, wake, suspect, clock = unpack(KEYS)
local token, free, busy, lease, wanted =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local slots = free
local SUSPECT, MINUTE, LOOK_AGAIN = 2, 60000, 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A clock that was put back would leave what was due, and every lease, to a distant future.
local seen = tonumber(redis.call('SET', clock, now, 'GET')) or now
if seen - now > 1000 then
  local jump, batch = seen - now, 5000
  for _, set in ipairs({queue, running}) do
    local entries = redis.call('ZRANGEBYSCORE', set, '(' .. now, seen + lease, 'WITHSCORES', 'LIMIT', 0, batch)
    for i = 1, #entries, 2 do
      redis.call('ZADD', set, entries[i + 1] - jump, entries[i])
      if set == running then redis.call('PEXPIRE', 'arq:in-progress:' .. entries[i], lease) end
    end
    if #entries == 2 * batch then redis.call('SET', clock, seen) end
  end
end

-- What has a priority and is due by now moves ahead of what has waited less than that.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 500)) do
  local minutes = redis.call('HGET', priorities, id)
  if minutes then redis.call('ZADD', queue, 'XX', now - minutes * MINUTE, id) end
  redis.call('ZREM', later, id)
end

local paused, rate, concurrency, tokens, refilled = unpack(
  redis.call('HMGET', control, 'paused', 'rate', 'concurrency', 'tokens', 'refilled'))
if paused then free = 0 end
if concurrency then
  free = math.min(free, concurrency - redis.call('ZCOUNT', running, '(' .. now, '+inf'))
end
local budget = free
if rate then
  rate = tonumber(rate)
  local since = math.max(0, now - (tonumber(refilled) or 0))
  tokens = math.min(math.max(1, rate / 20), (tonumber(tokens) or 1) + since * rate / 1000)
  budget = math.min(free, math.floor(tokens))
end

local ids = {}
if wanted ~= '' and busy == 0 and budget > 0 then
  local due = redis.call('ZSCORE', queue, wanted)
  local held = redis.call('ZSCORE', running, wanted)
  redis.call('DEL', suspect)
  if due and not (held and tonumber(held) > now) then ids = {wanted} end
end
if #ids == 0 and budget > 0 then
  ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, budget)
end

local picked, found, counts, skipped, drain = {}, {}, {}, false, ''
if #ids > 0 then
  local owner_keys = {}
  for i, id in ipairs(ids) do owner_keys[i] = 'arq:in-progress:' .. id end
  local owners = redis.call('MGET', unpack(owner_keys))
  local lapsed = redis.call('ZMSCORE', running, unpack(ids))
  local crashed = redis.call('HMGET', crashes, unpack(ids))
  for i, id in ipairs(ids) do
    local deaths = tonumber(crashed[i]) or 0
    -- Due although somebody ran it: its lease is over, so its worker died.
    if lapsed[i] then deaths = redis.call('HINCRBY', crashes, id, 1) end
    if owners[i] and not lapsed[i] then
      redis.call('ZADD', queue, now + LOOK_AGAIN, id) -- a stock arq worker runs it
      skipped = true
    elseif deaths == SUSPECT and id ~= wanted and (busy > 0 or #picked > 0) then
      -- It may take the whole process along: it waits until a worker has nothing else to lose.
      redis.call('ZADD', queue, now + LOOK_AGAIN, id)
      redis.call('ZREM', running, id)
      if redis.call('SET', suspect, token, 'NX', 'PX', lease) then drain = id end
      skipped = true
      if drain ~= '' then break end
    else
      picked[#picked + 1], found[id] = id, deaths
      counts[id] = lapsed[i] and 0 or 1
      if deaths == SUSPECT then
        drain = id
        break
      end
    end
  end
end

local jobs = {}
if #picked > 0 then
  local leases, payload_keys = {}, {}
  for i, id in ipairs(picked) do
    leases[2 * i - 1], leases[2 * i] = now + lease, id
    payload_keys[i] = 'arq:job:' .. id
    redis.call('SET', 'arq:in-progress:' .. id, token .. '/' .. now, 'PX', lease)
  end
  redis.call('ZADD', queue, unpack(leases))
  redis.call('ZADD', running, unpack(leases))
  local payloads = redis.call('MGET', unpack(payload_keys))
  for i, id in ipairs(picked) do
    local tries = redis.pcall('INCRBY', 'arq:retry:' .. id, counts[id])
    if type(tries) ~= 'number' then
      tries = 1
      redis.call('SET', 'arq:retry:' .. id, tries)
    end
    local at = #jobs
    jobs[at + 1], jobs[at + 2], jobs[at + 3], jobs[at + 4] = id, payloads[i], math.max(tries, 1), found[id]
  end
end
if rate then redis.call('HSET', control, 'tokens', tostring(tokens - #picked), 'refilled', now) end

local next_due = -1
if skipped then
  next_due = 0
elseif #picked < free then
  local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if head[2] then next_due = math.max(0, head[2] - now) end
  if rate and next_due == 0 then next_due = math.ceil(math.max(0, 1 - tokens + #picked) * 1000 / rate) end
elseif #picked >= slots and #redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, 1) > 0 then
  next_due = 0
  -- There is more than this worker can take: let another look.
  if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
end

return {next_due, drain, redis.call('ZRANGE', 'arq:abort', 0, -1), unpack(jobs)}
