-- Remembers since when a job has been put off, because no worker of its release was there.
-- ARGV  id, name of the job
-- Returns for how many ms it has been put off.
local postponed = unpack(KEYS)
local id, name = unpack(ARGV)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSETNX', postponed, id, now .. '/' .. name)
local since = string.match(redis.call('HGET', postponed, id), '^%d+')
return math.max(0, now - (tonumber(since) or now))
