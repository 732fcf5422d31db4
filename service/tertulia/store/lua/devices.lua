-- Library of the commit script: accounts and devices.
--
--   {chat}:account:NICK  hash: nickname as shown, hash (argon2id), since, used
--   {chat}:device:NICK   hash: nickname, address, port, onchat (a nickname, folded). Who that is may dial
--                        it while a connection waits for him (node, session), and once when it has asked
--                        him in (asks). summoned: a node that has yet to tell it that he came. live: a
--                        name that all have who were brought into one live chat. Expires some time after the
--                        last use
--   {chat}:devices       zset: who is logged in → until when, milliseconds
--   {chat}:node:ID:waiting  set: the devices that wait on a connection to a node

local LOGIN_MS = tonumber(ARGV[16])  -- see commit.lua

-- None is deleted within a batch.
local accounts = {}
local function has_account(key)
  if not accounts[key] then accounts[key] = redis.call('EXISTS', key) == 1 end
  return accounts[key]
end

-- Add the ops of devices to those of the batch, and to what is looked at before:
--   a sign up     i log in     o log out     c open a chat; notes the answer     j join up with whom it adds
--   l leave the chat: with a session, only if that one waits     p message: deliver it, or keep it
local function add_device_ops(OPS, LOOKS, batch)
  local clock, key, need, post, seat = batch.clock, batch.key, batch.need, batch.post, batch.seat

  -- Its login is good for as long again.
  local function extend(at)
    write('PEXPIRE', key(at + DEVICE.device), LOGIN_MS)
    write('ZADD', key(at + DEVICE.devices), clock.now + LOGIN_MS, ARGV[at + DEVICE.key])
  end

  -- Whether a device is logged in at the address that the op comes from.
  local function is_here(at)
    if redis.call('HGET', key(at + DEVICE.device), 'address') ~= ARGV[at + DEVICE.address] then return false end
    extend(at)
    return true
  end

  local function log_in(at, nickname, port)
    write('DEL', key(at + DEVICE.device))
    write('HSET', key(at + DEVICE.device), 'nickname', nickname, 'address', ARGV[at + DEVICE.address], 'port', port)
    extend(at)
  end

  local function leave(device)
    write('HDEL', device, 'onchat', 'node', 'session', 'summoned', 'asks', 'live')
  end

  -- Note that one device comes into the live chat of another.
  local function bring_together(device, other, me)
    local live = redis.call('HGET', other, 'live') or clock.now .. ' ' .. me
    write('HSET', other, 'live', live)
    write('HSET', device, 'live', live)
  end

  -- Tell a device that waits for ``me`` that he has come, and dials from ``port``; false if none does. It
  -- waits no more: a place is good for one meeting, so that never both are told to dial.
  local function summon(device, me, port)
    local waiting = redis.call('HMGET', device, 'onchat', 'node', 'session')
    if waiting[1] ~= me or not waiting[2] then return false end
    post(waiting[2], waiting[3], '{"t":"summoned","p":' .. port .. '}')
    write('HDEL', device, 'node', 'session')
    write('HSET', device, 'summoned', waiting[2])  -- until it is told: that node may die first
    return true
  end

  OPS['a'] = function(at)
    local account, nickname = key(at + SIGN_UP.account), ARGV[at + SIGN_UP.nickname]
    if redis.call('EXISTS', account) == 1 or seat(key(at + SIGN_UP.nick)) then return 't' end
    write('HSET', account, 'nickname', nickname, 'hash', ARGV[at + SIGN_UP.hash], 'since', clock.now)
    log_in(at, nickname, ARGV[at + SIGN_UP.port])
    return 'd'
  end

  OPS['i'] = function(at)
    local account = key(at + LOG_IN.account)
    local nickname = redis.call('HGET', account, 'nickname')
    if not nickname then return 'u' end
    note_use(account, clock.now)
    log_in(at, nickname, ARGV[at + LOG_IN.port])
    return 'd'
  end

  OPS['o'] = function(at)
    local device = key(at + LOG_OUT.device)
    if redis.call('EXISTS', device) == 0 then return 'u' end
    if not is_here(at) then return 'g' end
    write('DEL', device)
    write('ZREM', key(at + LOG_OUT.devices), ARGV[at + LOG_OUT.key])
    return 'd'
  end

  LOOKS['c'] = function(at)
    need(redis.call('HGET', key(at + OPEN_CHAT.other_device), 'node'))
  end

  OPS['c'] = function(at)
    if not is_here(at) then return 'g', '0' end
    local device, me, other = key(at + OPEN_CHAT.device), ARGV[at + OPEN_CHAT.key], ARGV[at + OPEN_CHAT.other]
    local account, other_device = key(at + OPEN_CHAT.other_account), key(at + OPEN_CHAT.other_device)
    local is_there = seat(key(at + OPEN_CHAT.other_nick)) or redis.call('EXISTS', account) == 1
    if other == me or not is_there then return 'd', '0' end
    leave(device)
    write('HSET', device, 'onchat', other)
    local peer = redis.call('HMGET', other_device, 'onchat', 'port', 'asks')
    local waited = summon(other_device, me, redis.call('HGET', device, 'port'))
    if not waited and not (peer[1] == me and peer[3]) then
      write('HSET', device, 'node', batch.node, 'session', ARGV[at + OPEN_CHAT.session])
      write('SADD', key(at + OPEN_CHAT.waiting), me)
      return 'd', '1'
    end
    write('HDEL', other_device, 'asks')
    bring_together(device, other_device, me)
    return 'd', peer[2]
  end

  LOOKS['j'] = function(at)
    need(redis.call('HGET', key(at + JOIN_UP.other_device), 'node'))
  end

  OPS['j'] = function(at)
    if not is_here(at) then return 'g' end
    local device, other_device, me = key(at + JOIN_UP.device), key(at + JOIN_UP.other_device), ARGV[at + JOIN_UP.key]
    write('HDEL', device, 'node', 'session', 'summoned')
    write('HSET', device, 'onchat', ARGV[at + JOIN_UP.other], 'asks', '1')
    if summon(other_device, me, redis.call('HGET', device, 'port')) then bring_together(other_device, device, me) end
    return 'd'
  end

  OPS['l'] = function(at)
    if not is_here(at) then return 'g' end
    local device, session = key(at + LEAVE_CHAT.device), ARGV[at + LEAVE_CHAT.session]
    if session ~= '' and redis.call('HGET', device, 'session') ~= session then return 'u' end
    leave(device)
    write('SREM', key(at + LEAVE_CHAT.waiting), ARGV[at + LEAVE_CHAT.key])
    return 'd'
  end

  LOOKS['p'] = function(at)
    local _, there = seat(key(at + MESSAGE.other_nick))
    need(there)
  end

  OPS['p'] = function(at)
    if not is_here(at) then return 'g' end
    local sender, text = redis.call('HGET', key(at + MESSAGE.device), 'nickname'), ARGV[at + MESSAGE.text]
    local other_nick, me = key(at + MESSAGE.other_nick), ARGV[at + MESSAGE.key]
    local session, there = seat(other_nick)
    local is_kept, behind = false, 0
    if not session and not has_account(key(at + MESSAGE.other_account)) then return 'u' end
    if not session or batch.is_collecting(other_nick) then
      local box = pending().box_for(key(at + MESSAGE.mailbox), key(at + MESSAGE.senders), me)
      is_kept, behind = pending().keep(box, key(at + MESSAGE.list), sender, me, true, text, batch.bounds, clock)
    end
    if not is_kept and session and behind == 0 then
      post(there, session, whispered_event(sender, '', ARGV[at + MESSAGE.other], text))
      is_kept = true
    end
    return is_kept and 'd' or 'b'
  end
end
