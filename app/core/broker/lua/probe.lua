-- Runs every command that a queue needs, on a temporary key.
-- Returns the commands that this user may not run, or 'keys' if the user may not access the key.
local probe = unpack(KEYS)

local COMMANDS = {
  {'SET', probe, 1, 'PX', 60000},
  {'GET', probe}, {'MGET', probe}, {'EXISTS', probe}, {'INCRBY', probe, 1}, {'DECR', probe},
  {'EXPIRE', probe, 60}, {'PEXPIRE', probe, 60000}, {'RENAME', probe, probe}, {'DEL', probe},
  {'HSET', probe, 'field', 1}, {'HGET', probe, 'field'}, {'HMGET', probe, 'field'},
  {'HGETALL', probe}, {'HINCRBY', probe, 'field', 1}, {'HEXISTS', probe, 'field'},
  {'HSETNX', probe, 'field', 1}, {'HKEYS', probe}, {'HVALS', probe}, {'HDEL', probe, 'field'},
  {'ZADD', probe, 1, 'member'}, {'ZSCORE', probe, 'member'}, {'ZMSCORE', probe, 'member'},
  {'ZCARD', probe}, {'ZCOUNT', probe, 0, 1}, {'ZRANGE', probe, 0, -1},
  {'ZRANGEBYSCORE', probe, 0, 1}, {'ZREM', probe, 'other'}, {'ZREMRANGEBYSCORE', probe, 0, 1},
  {'LPUSH', probe, 1}, {'LLEN', probe}, {'LTRIM', probe, 0, 0},
  {'PING'}, {'TIME'}, {'INFO', 'server'},
}

local refused = {}
for _, command in ipairs(COMMANDS) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'access') then
      return {'keys'}
    elseif string.find(reply.err, 'permission') or string.find(reply.err, 'run this command') then
      refused[#refused + 1] = command[1]
    elseif #refused == 0 then
      return reply -- such as READONLY: the server takes no writes
    end
  end
end
return refused
