-- Library of the commit script: accounts, devices, and messages that wait for them.
--
--   {chat}:account:NICK  hash: nickname as shown, hash (argon2id), since
--   {chat}:device:NICK   hash: nickname, address, port, onchat (a nickname, folded), and, while a
--                        connection waits for that one: node, session. Expires a day after the last use
--   {chat}:devices       zset: who is logged in → until when, milliseconds
--   {chat}:pending:NICK  stream: messages that wait; f sender as shown, x text
--   {chat}:counts:NICK   hash: sender, folded → how many of them; and '' → bytes in all
--   {chat}:node:ID:waiting  set: the devices that wait on a connection to a node

local DAY_MS = 86400000

local function json_text(text)
  return cjson.encode(text)
end

-- Keep a message for an account. False where its bounds would be passed.
local function keep(pending, counts, sender, sender_key, text, bounds)
  local size = #text + #sender
  local held = redis.call('HMGET', counts, sender_key, '')
  if tonumber(held[1] or 0) >= bounds.count or tonumber(held[2] or 0) + size > bounds.bytes then
    return false
  end
  redis.call('XADD', pending, '*', 'f', sender, 'x', text)
  redis.call('HINCRBY', counts, sender_key, 1)
  redis.call('HINCRBY', counts, '', size)
  return true
end

-- Give everything that waits for an account to ``give(sender, text)``; nothing waits afterwards.
local function hand_over(pending, counts, give)
  for _, entry in ipairs(redis.call('XRANGE', pending, '-', '+')) do
    give(entry[2][2], entry[2][4])
  end
  redis.call('DEL', pending, counts)
end

-- Whether a device is logged in at an address; its login is good for another day then.
local function is_here(device, devices, key, address, now)
  if redis.call('HGET', device, 'address') ~= address then return false end
  redis.call('PEXPIRE', device, DAY_MS)
  redis.call('ZADD', devices, now + DAY_MS, key)
  return true
end

local function log_in(device, devices, key, nickname, address, port, now)
  redis.call('DEL', device)
  redis.call('HSET', device, 'nickname', nickname, 'address', address, 'port', port)
  is_here(device, devices, key, address, now)
end

local function stop_waiting(device)
  redis.call('HDEL', device, 'onchat', 'node', 'session')
end
