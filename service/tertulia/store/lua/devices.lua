-- Library of the commit script: accounts, devices, and messages that wait for them.
--
--   {chat}:account:NICK  hash: nickname as shown, hash (argon2id), since
--   {chat}:device:NICK   hash: nickname, address, port, onchat (a nickname, folded), and, while a
--                        connection waits for that one: node, session. summoned: a node that has yet to
--                        tell it that he came. dialled: since when he may have dialled it. live: a name
--                        that all have who were brought into one live chat. Expires a day after the last use
--   {chat}:devices       zset: who is logged in → until when, milliseconds
--   {chat}:pending:NICK  stream: messages that wait; f sender as shown, x text
--   {chat}:counts:NICK   hash: sender, folded → how many of them; and '' → bytes in all
--   {chat}:meta          hash, KEYS[1]: pending, how many messages wait in all
--   {chat}:node:ID:waiting  set: the devices that wait on a connection to a node

local DAY_MS = 86400000
local DIALLED_MS = 15000  -- for as long, who was given a port may ask again: the answer may be lost

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
  write('XADD', pending, '*', 'f', sender, 'x', text)
  write('HINCRBY', counts, sender_key, 1)
  write('HINCRBY', counts, '', size)
  write('HINCRBY', KEYS[1], 'pending', 1)
  return true
end

-- Forget what waited for an account, so many messages: it is given to him.
local function handed_over(pending, counts, count)
  write('DEL', pending, counts)
  write('HINCRBY', KEYS[1], 'pending', 0 - count)  -- the minus of -0 is no integer to Redis
end

-- Whether a device is logged in at an address; its login is good for another day then.
local function is_here(device, devices, key, address, now)
  if redis.call('HGET', device, 'address') ~= address then return false end
  write('PEXPIRE', device, DAY_MS)
  write('ZADD', devices, now + DAY_MS, key)
  return true
end

local function log_in(device, devices, key, nickname, address, port, now)
  write('DEL', device)
  write('HSET', device, 'nickname', nickname, 'address', address, 'port', port)
  is_here(device, devices, key, address, now)
end

local function stop_waiting(device)
  write('HDEL', device, 'onchat', 'node', 'session', 'summoned', 'dialled')
end

local function leave(device)
  stop_waiting(device)
  write('HDEL', device, 'live')
end

-- Whoever enters is in no live chat, or not any more. So if its port was given to him before, a device
-- that is still onchat with him, and does not wait, is one that went without a word.
local function leave_if_stale(device, me, now)
  local was = redis.call('HMGET', device, 'onchat', 'node', 'dialled')
  if was[1] == me and not was[2] and was[3]
    and math.abs(now - tonumber(was[3])) > DIALLED_MS then  -- the clock may have been set back
    leave(device)
  end
end

-- Note that a device is about to be dialled, and that the one who dials comes into its live chat.
local function bring_together(device, dialled, me, now)
  write('HSETNX', dialled, 'dialled', now)
  local live = redis.call('HGET', dialled, 'live') or now .. ' ' .. me
  write('HSET', dialled, 'live', live)
  write('HSET', device, 'live', live)
end

-- A letter as domain/events.py has it, for texts that were kept as they are.
local function whispered_event(sender, session, recipient, text)
  return '{"t":"whispered","n":"' .. sender .. '","s":"' .. session .. '","r":'
    .. json_text(recipient) .. ',"x":' .. json_text(text) .. '}'
end

-- Whisper to somebody who is not in the room. ARGV from ``at``: account-index device-index
-- pending-index counts-index keep nickname key text. Returns the outcome.
local function keep_for_absent(at, whoever, bounds)
  local function key(offset) return KEYS[tonumber(ARGV[at + offset])] end
  if redis.call('EXISTS', key(0)) == 0 then return 'u' end
  local is_logged_in = redis.call('EXISTS', key(1)) == 1
  if not is_logged_in and not whoever then return 'u' end
  if not keep(key(2), key(3), ARGV[at + 5], ARGV[at + 6], ARGV[at + 7], bounds) then return 'b' end
  return is_logged_in and 'd' or 'k'
end

-- Tell a device that waits for ``me`` that he has come, and dials from ``port``; false if none does.
local function summon(device, me, port, post)
  local waiting = redis.call('HMGET', device, 'onchat', 'node', 'session')
  if waiting[1] == me and waiting[2] then
    post(waiting[2], waiting[3], '{"t":"summoned","p":' .. port .. '}')
    write('HDEL', device, 'node', 'session')
    write('HSET', device, 'summoned', waiting[2])  -- until it is told: that node may die first
    return true
  end
  return false
end

-- The ops of devices. Each begins: device-index devices-index key. Returns the outcome, and a note.
--   a … nick-index account-index nickname hash address port                sign up
--   i … account-index nickname address port                               log in
--   o … address                                                           log out
--   c … address waiting-index session other other-nick-index other-account-index other-device-index
--                                                                         open a chat; notes the answer
--   j … address other other-device-index                                  join up with whom it adds
--   l … address waiting-index session-or-''                               leave the chat
--   p … address other-nick-index other-account-index other-device-index pending-index counts-index
--       other text                                                        deliver a message, or keep it
--   x pending-index counts-index sender entries                           forget what was shown
local function device_op(op, at, now, sitting, bounds, post)
  local function key(offset) return KEYS[tonumber(ARGV[at + offset])] end
  if op == 'x' then
    local pending, counts, sender = key(1), key(2), ARGV[at + 3]
    for id in string.gmatch(ARGV[at + 4], '%S+') do
      local entry = redis.call('XRANGE', pending, id, id)[1]
      if entry then
        write('XDEL', pending, id)
        write('HINCRBY', counts, sender, -1)
        write('HINCRBY', counts, '', -(#entry[2][2] + #entry[2][4]))
        write('HINCRBY', KEYS[1], 'pending', -1)
      end
    end
    if redis.call('XLEN', pending) == 0 then write('DEL', pending, counts) end
    return 'd'
  end

  local device, devices, me = key(1), key(2), ARGV[at + 3]
  if op == 'a' then
    local account = key(5)
    if redis.call('EXISTS', account) == 1 or held(key(4), sitting) then return 't' end
    write('HSET', account, 'nickname', ARGV[at + 6], 'hash', ARGV[at + 7], 'since', now)
    log_in(device, devices, me, ARGV[at + 6], ARGV[at + 8], ARGV[at + 9], now)
    return 'd'
  elseif op == 'i' then
    local nickname = redis.call('HGET', key(4), 'nickname')
    if not nickname then return 'u' end
    log_in(device, devices, me, nickname, ARGV[at + 6], ARGV[at + 7], now)
    return 'd'
  elseif op == 'o' and redis.call('EXISTS', device) == 0 then
    return 'u'
  end

  if not is_here(device, devices, me, ARGV[at + 4], now) then
    return 'g', op == 'c' and '0' or nil
  end
  if op == 'o' then
    write('DEL', device)
    write('ZREM', devices, me)
    return 'd'
  elseif op == 'j' then
    stop_waiting(device)
    write('HSET', device, 'onchat', ARGV[at + 5])
    if summon(key(6), me, redis.call('HGET', device, 'port'), post) then
      local live = redis.call('HGET', device, 'live') or now .. ' ' .. me
      write('HSET', device, 'live', live)
      write('HSET', key(6), 'live', live)
    end
    return 'd'
  elseif op == 'l' then
    local session = ARGV[at + 6]
    if session == '' or redis.call('HGET', device, 'session') == session then
      leave(device)
      write('SREM', key(5), me)
    end
    return 'd'
  elseif op == 'c' then
    local other = ARGV[at + 7]
    local is_there = held(key(8), sitting) or redis.call('EXISTS', key(9)) == 1
    if other == me or not is_there then return 'd', '0' end
    leave(device)
    write('HSET', device, 'onchat', other)
    leave_if_stale(key(10), me, now)
    local peer = redis.call('HMGET', key(10), 'onchat', 'port')
    if peer[1] ~= me then
      write('HSET', device, 'node', ARGV[1], 'session', ARGV[at + 6])
      write('SADD', key(5), me)
      return 'd', '1'
    end
    summon(key(10), me, redis.call('HGET', device, 'port'), post)
    bring_together(device, key(10), me, now)
    return 'd', peer[2]
  end

  -- p
  local sender, other, text = redis.call('HGET', device, 'nickname'), ARGV[at + 10], ARGV[at + 11]
  local session, there = held(key(5), sitting)
  if session then
    post(there, session, whispered_event(sender, '', other, text))
    return 'd'
  end
  if redis.call('EXISTS', key(6)) == 0 then return 'u' end
  return keep(key(8), key(9), sender, me, text, bounds) and 'd' or 'b'
end
