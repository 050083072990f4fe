-- Claims due jobs for a worker's free slots, each under a lease.
-- ARGV  token, free slots, running jobs of the worker, lease in ms, id of a job to run solo or '',
--       lifetime of the health key in ms (0: no change)
-- Returns {ms until something is due or -1, id of a job to run solo or '', canceled ids,
--          then for each job: id, payload or nil, tries, crashes, ms since it was due}.
local queue, running, retrying, limits, crashes, priority, later, wake, quarantine, clock,
  abort, health_check, events, job_prefix, in_progress_prefix, retry_prefix, result_prefix = unpack(KEYS)
local token, free, busy, lease, solo, health =
  ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local slots = free
local QUARANTINE_AFTER, MINUTE, LOOK_AGAIN = 2, 60000, 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if health > 0 then redis.call('SET', health_check, token, 'PX', health) end

-- If the clock was set back, due jobs and leases are far in the future. Move them back, too.
local seen = tonumber(redis.call('SET', clock, now, 'GET')) or now
if seen - now > 1000 then
  local jump, batch = seen - now, 5000
  for _, set in ipairs({queue, running}) do
    local entries = redis.call('ZRANGEBYSCORE', set, '(' .. now, seen + lease, 'WITHSCORES', 'LIMIT', 0, batch)
    for i = 1, #entries, 2 do
      redis.call('ZADD', set, entries[i + 1] - jump, entries[i])
      if set == running then redis.call('PEXPIRE', in_progress_prefix .. entries[i], lease) end
    end
    if #entries == 2 * batch then redis.call('SET', clock, seen) end
  end
end

-- A job with a priority that is due now moves ahead of jobs that have waited less.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 500)) do
  local minutes = redis.call('HGET', priority, id)
  if minutes then redis.call('ZADD', queue, 'XX', now - minutes * MINUTE, id) end
  redis.call('ZREM', later, id)
end

local paused, rate, concurrency, tokens, refilled = unpack(
  redis.call('HMGET', limits, 'paused', 'rate', 'concurrency', 'tokens', 'refilled'))
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

local ids, dues = {}, {}
if solo ~= '' and busy == 0 and budget > 0 then
  local due = redis.call('ZSCORE', queue, solo)
  local held = redis.call('ZSCORE', running, solo)
  redis.call('DEL', quarantine)
  if due and not (held and tonumber(held) > now) then ids, dues = {solo}, {due} end
end
if #ids == 0 and budget > 0 then
  local entries = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, budget)
  for i = 1, #entries, 2 do ids[#ids + 1], dues[#dues + 1] = entries[i], entries[i + 1] end
end
-- Python decodes ids as text. An id that is not text is replaced by one that is.
for i, id in ipairs(ids) do
  if not string.find(id, '^[^\128-\255]*$') then
    ids[i] = 'bytes-' .. string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
    redis.call('ZREM', queue, id)
    redis.pcall('RENAME', job_prefix .. id, job_prefix .. ids[i])
  end
end

-- The lines below run for each job, so numbers become text only once.
local owner, expires, lifetime = token .. '/' .. now, tostring(now + lease), tostring(lease)
local jobs, picked, leases, skipped, drain = {}, {}, {}, false, ''
if #ids > 0 then
  local owner_keys, payload_keys, retry_keys = {}, {}, {}
  for i, id in ipairs(ids) do
    owner_keys[i], payload_keys[i], retry_keys[i] = in_progress_prefix .. id, job_prefix .. id, retry_prefix .. id
  end
  local owners = redis.call('MGET', unpack(owner_keys))
  local payloads = redis.call('MGET', unpack(payload_keys))
  local lapsed = redis.call('ZMSCORE', running, unpack(ids))
  local retries = redis.call('MGET', unpack(retry_keys))
  -- Usually, there are no such jobs in the whole queue.
  local is_rare = redis.call('EXISTS', crashes, priority, retrying) > 0
  local crashed = is_rare and redis.call('HMGET', crashes, unpack(ids)) or {}
  local minutes = is_rare and redis.call('HMGET', priority, unpack(ids)) or {}
  for i, id in ipairs(ids) do
    local deaths = tonumber(crashed[i]) or 0
    local leased = owners[i] and lapsed[i] and tonumber(lapsed[i]) > now
    -- The job is due although a worker ran it. Its lease has expired, so the worker has died.
    if lapsed[i] and not leased then deaths = redis.call('HINCRBY', crashes, id, 1) end
    if leased then
      redis.call('ZADD', queue, lapsed[i], id) -- it is running: arq's `Job.abort` has made it due
      skipped = true
    elseif not payloads[i] and redis.call('EXISTS', result_prefix .. id) == 1 then
      -- It ended just before arq's `Job.abort` made it due.
      redis.call('ZREM', queue, id)
      skipped = true
    elseif owners[i] and not lapsed[i] then
      redis.call('ZADD', queue, now + LOOK_AGAIN, id) -- a stock arq worker runs it
      skipped = true
    elseif deaths == QUARANTINE_AFTER and id ~= solo and (busy > 0 or #picked > 0) then
      -- It may crash the process, so it waits until a worker runs no other job.
      redis.call('ZADD', queue, now + LOOK_AGAIN, id)
      redis.call('ZREM', running, id)
      if redis.call('SET', quarantine, token, 'NX', 'PX', lease) then drain = id end
      skipped = true
      if drain ~= '' then break end
    else
      -- `finish` counts the first try of a job that is retried. Most jobs have only one.
      local tries = 1
      if tonumber(retries[i]) then
        tries = redis.pcall('INCRBY', retry_keys[i], lapsed[i] and 0 or 1)
        if type(tries) ~= 'number' then
          tries = 1
          redis.call('SET', retry_keys[i], tries)
        end
      end
      redis.call('SET', owner_keys[i], owner, 'PX', lifetime)
      leases[#leases + 1], leases[#leases + 2] = expires, id
      picked[#picked + 1] = id
      local at = #jobs
      jobs[at + 1], jobs[at + 2], jobs[at + 3], jobs[at + 4] = id, payloads[i], math.max(tries, 1), deaths
      -- The score of a job with a priority is earlier than its due time.
      jobs[at + 5] = math.floor(math.min(math.max(0, now - dues[i] - (minutes[i] or 0) * MINUTE), now))
      if deaths == QUARANTINE_AFTER then
        drain = id
        break
      end
    end
  end
  if #picked > 0 then
    redis.call('ZADD', queue, unpack(leases))
    redis.call('ZADD', running, unpack(leases))
    if is_rare then redis.call('ZREM', retrying, unpack(picked)) end
  end
end
-- pcall, because events are optional and the Redis user may lack the permission.
if #picked > 0 then redis.pcall('PUBLISH', events, table.concat(picked, ' ')) end
if rate then redis.call('HSET', limits, 'tokens', tostring(tokens - #picked), 'refilled', now) end

local next_due = -1
if skipped then
  next_due = 0
elseif #picked < free then
  local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if head[2] then next_due = math.max(0, head[2] - now) end
  if rate and next_due == 0 then next_due = math.ceil(math.max(0, 1 - tokens + #picked) * 1000 / rate) end
elseif #picked >= slots and #redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, 1) > 0 then
  next_due = 0
  -- More jobs are due than this worker can run, so wake another one.
  if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, 1) end
end

return {next_due, drain, redis.call('ZRANGE', abort, 0, -1), unpack(jobs)}
