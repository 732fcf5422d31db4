-- Library of the commit script: accounts, devices, and messages that wait for them.
--
--   {chat}:account:NICK  hash: nickname as shown, hash (argon2id), since, used
--   {chat}:device:NICK   hash: nickname, address, port, onchat (a nickname, folded). Who that is may dial
--                        it while a connection waits for him (node, session), and once when it has asked
--                        him in (asks). summoned: a node that has yet to tell it that he came. live: a
--                        name that all have who were brought into one live chat. Expires some time after the
--                        last use
--   {chat}:devices       zset: who is logged in → until when, milliseconds
--   {chat}:pending:NICK  stream: messages that wait; f sender as shown, x text
--   {chat}:counts:NICK   hash: sender, folded → how many of them; '' → bytes in all; and ':' before the
--                        name of an entry → how many bytes of it were shown
--   {chat}:meta          hash, KEYS[1]: pending, how many messages wait in all
--   {chat}:node:ID:waiting  set: the devices that wait on a connection to a node

local LOGIN_MS = tonumber(ARGV[15])  -- see commit.lua

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

-- Return what waits for an account: {sender, text} each, without what of it was shown.
local function waiting_for(pending, counts)
  local found, shown, held = {}, {}, redis.call('HGETALL', counts)
  for at = 1, #held, 2 do shown[held[at]] = tonumber(held[at + 1]) end
  for _, entry in ipairs(redis.call('XRANGE', pending, '-', '+')) do
    local text = string.sub(entry[2][4], (shown[':' .. entry[1]] or 0) + 1)
    found[#found + 1] = { entry[2][2], text }
  end
  return found
end

-- Forget what waited for an account, so many messages: it is given to him.
local function handed_over(pending, counts, count)
  write('DEL', pending, counts)
  write('HINCRBY', KEYS[1], 'pending', 0 - count)  -- the minus of -0 is no integer to Redis
end

-- Whether a device is logged in at an address; its login is good for as long again then.
local function is_here(device, devices, key, address, now)
  if redis.call('HGET', device, 'address') ~= address then return false end
  write('PEXPIRE', device, LOGIN_MS)
  write('ZADD', devices, now + LOGIN_MS, key)
  return true
end

local function log_in(device, devices, key, nickname, address, port, now)
  write('DEL', device)
  write('HSET', device, 'nickname', nickname, 'address', address, 'port', port)
  is_here(device, devices, key, address, now)
end

local function leave(device)
  write('HDEL', device, 'onchat', 'node', 'session', 'summoned', 'asks', 'live')
end

-- Note that one device comes into the live chat of another.
local function bring_together(device, other, me, now)
  local live = redis.call('HGET', other, 'live') or now .. ' ' .. me
  write('HSET', other, 'live', live)
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

-- Tell a device that waits for ``me`` that he has come, and dials from ``port``; false if none does. It
-- waits no more: a place is good for one meeting, so that never both are told to dial.
local function summon(device, me, port, post)
  local waiting = redis.call('HMGET', device, 'onchat', 'node', 'session')
  if waiting[1] ~= me or not waiting[2] then return false end
  post(waiting[2], waiting[3], '{"t":"summoned","p":' .. port .. '}')
  write('HDEL', device, 'node', 'session')
  write('HSET', device, 'summoned', waiting[2])  -- until it is told: that node may die first
  return true
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
--   x pending-index counts-index sender entries                           forget what was shown; an entry
--       with ':' and a number behind it, of which so many bytes were: not the rest
local function device_op(op, at, now, sitting, bounds, post)
  local function key(offset) return KEYS[tonumber(ARGV[at + offset])] end
  if op == 'x' then
    local pending, counts, sender = key(1), key(2), ARGV[at + 3]
    local left = redis.call('XLEN', pending)
    for id, shown in string.gmatch(ARGV[at + 4], '([%d-]+):?(%d*)') do
      local entry, part = redis.call('XRANGE', pending, id, id)[1], ':' .. id
      if entry and shown ~= '' then
        local before = redis.call('HGET', counts, part)
        write('HSET', counts, part, math.max(tonumber(shown), tonumber(before or 0)))
      elseif entry then
        left = left - 1
        write('XDEL', pending, id)
        write('HDEL', counts, part)
        write('HINCRBY', counts, sender, -1)
        write('HINCRBY', counts, '', -(#entry[2][2] + #entry[2][4]))
        write('HINCRBY', KEYS[1], 'pending', -1)
      end
    end
    if left == 0 then write('DEL', pending, counts) end
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
    note_use(key(4), now)
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
    write('HDEL', device, 'node', 'session', 'summoned')
    write('HSET', device, 'onchat', ARGV[at + 5], 'asks', '1')
    if summon(key(6), me, redis.call('HGET', device, 'port'), post) then
      bring_together(key(6), device, me, now)
    end
    return 'd'
  elseif op == 'l' then
    local session = ARGV[at + 6]
    if session ~= '' and redis.call('HGET', device, 'session') ~= session then return 'u' end
    leave(device)
    write('SREM', key(5), me)
    return 'd'
  elseif op == 'c' then
    local other = ARGV[at + 7]
    local is_there = held(key(8), sitting) or redis.call('EXISTS', key(9)) == 1
    if other == me or not is_there then return 'd', '0' end
    leave(device)
    write('HSET', device, 'onchat', other)
    local peer = redis.call('HMGET', key(10), 'onchat', 'port', 'asks')
    local waited = summon(key(10), me, redis.call('HGET', device, 'port'), post)
    if not waited and not (peer[1] == me and peer[3]) then
      write('HSET', device, 'node', ARGV[1], 'session', ARGV[at + 6])
      write('SADD', key(5), me)
      return 'd', '1'
    end
    write('HDEL', key(10), 'asks')
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
