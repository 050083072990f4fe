-- Stores when a job was first postponed, because no worker of its release was running.
-- ARGV  id, name of the job
-- Returns the ms since then.
local postponed = unpack(KEYS)
local id, name = unpack(ARGV)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSETNX', postponed, id, now .. '/' .. name)
local since = string.match(redis.call('HGET', postponed, id), '^%d+')
return math.max(0, now - (tonumber(since) or now))
