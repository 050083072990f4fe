-- Finds the jobs that the queue does not have: they do not wait or run, and have no result.
-- ARGV  ids
-- Returns the ids that are missing.
local job_prefix, result_prefix = unpack(KEYS)

local missing = {}
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', job_prefix .. id, result_prefix .. id) == 0 then
    missing[#missing + 1] = id
  end
end
return missing
