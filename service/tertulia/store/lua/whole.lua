-- Library, in front of every script: a script is carried out as a whole, even if Redis refuses one of its commands.
--
-- KEYS  the last: unfinished
--
--   {chat}:unfinished  zset with one member: commands, packed; its score: how many of them are done
--
-- Redis checks permissions command by command, and undoes nothing. So a script reads first, then writes by
-- write(), and returns done(its reply). Where a command is refused after others were carried out, that command
-- and all after it are written down. The next script, whichever it is, carries them out before it does anything of
-- its own, or fails as well. To all others the script has only taken longer.

local UNFINISHED = table.remove(KEYS)
local begun = false        -- whether something was written
local rest, refusal = nil  -- what is still to be written, and why

local function refused(command, why)
  return redis.error_reply('UNFINISHED ' .. string.lower(command) .. ': ' .. why)
end

-- Carry out a command that writes, and return its reply; nil where that has to wait.
local function write(...)
  if rest then
    rest[#rest + 1] = { ... }
    return nil
  elseif begun then
    local reply = redis.pcall(...)
    if type(reply) ~= 'table' or not reply.err then return reply end
    -- In Redis' words up to 7.0, and since. Anything else is a defect, or a key into which somebody put something
    -- else: it is not written down, for it would hold up the chat for ever.
    if not string.find(reply.err, "The user executing the script can't", 1, true)
      and not string.find(reply.err, 'ACL failure in script', 1, true) then
      error(reply.err)
    end
    rest, refusal = { { ... } }, reply.err
    return nil
  end
  -- The first one raises: nothing is done. Who may write one zset may write down the rest; and Redis refuses to
  -- as a replica, out of memory, without the replicas that it wants, and when it cannot persist.
  if (...) ~= 'ZADD' then redis.call('ZADD', UNFINISHED, 'XX', '0', '') end
  local reply = redis.call(...)
  begun = true
  return reply
end

local function done(reply)
  if not rest then return reply end
  redis.call('ZADD', UNFINISHED, 0, cmsgpack.pack(rest))
  return refused(rest[1][1], refusal)
end

if redis.call('EXISTS', UNFINISHED) == 1 then
  redis.call('ZADD', UNFINISHED, 'XX', 0, '')
  local packed, count = unpack(redis.call('ZRANGE', UNFINISHED, 0, 0, 'WITHSCORES'))
  local commands = cmsgpack.unpack(packed)
  table.insert(commands, { 'DEL', UNFINISHED })
  for index = tonumber(count) + 1, #commands do
    local reply = redis.pcall(unpack(commands[index]))
    if type(reply) == 'table' and reply.err then
      redis.call('ZADD', UNFINISHED, index - 1, packed)
      return refused(commands[index][1], reply.err)
    end
  end
end
