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

-- None is deleted within a batch.
local accounts = {}
local function has_account(key)
  if not accounts[key] then accounts[key] = redis.call('EXISTS', key) == 1 end
  return accounts[key]
end

-- Whisper to somebody who is not in the room, or is being handed what waited for him. ARGV from ``at``:
-- account-index device-index list-index mailbox-index senders-index own-account-index keep nickname key text.
-- Returns the outcome, and, where nothing was kept, how many of the sender's wait.
local function keep_for_absent(at, is_in_room, bounds, clock)
  local function key(offset) return KEYS[tonumber(ARGV[at + offset])] end
  local is_logged_in = is_in_room
  if not is_in_room then
    if not has_account(key(0)) then return 'u' end
    is_logged_in = redis.call('EXISTS', key(1)) == 1
    if not is_logged_in and ARGV[at + 6] ~= '1' then return 'u' end
  end
  local sender, is_account = ARGV[at + 8], has_account(key(5))
  local box = pending().box_for(key(3), key(4), sender)
  local is_kept, behind = pending().keep(box, key(2), ARGV[at + 7], sender, is_account, ARGV[at + 9], bounds, clock)
  if not is_kept then return 'b', behind end
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
--   p … address other-nick-index other-account-index list-index mailbox-index senders-index other text
--                                                                   deliver a message, or keep it
--   x list-index mailbox-index senders-index sender number shown          forget what was shown: all up to that
--       number; or, where shown is not 0, of that one so many bytes
local function device_op(op, at, clock, generation, bounds, post, is_collecting)
  local function key(offset) return KEYS[tonumber(ARGV[at + offset])] end
  if op == 'x' then
    local box = pending().open_box(key(2), key(3), ARGV[at + 4])
    pending().forget(box, key(1), ARGV[at + 4], tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]))
    return 'd'
  end

  local device, devices, me = key(1), key(2), ARGV[at + 3]
  if op == 'a' then
    local account = key(5)
    if redis.call('EXISTS', account) == 1 or held(key(4), generation) then return 't' end
    write('HSET', account, 'nickname', ARGV[at + 6], 'hash', ARGV[at + 7], 'since', clock.now)
    log_in(device, devices, me, ARGV[at + 6], ARGV[at + 8], ARGV[at + 9], clock.now)
    return 'd'
  elseif op == 'i' then
    local nickname = redis.call('HGET', key(4), 'nickname')
    if not nickname then return 'u' end
    note_use(key(4), clock.now)
    log_in(device, devices, me, nickname, ARGV[at + 6], ARGV[at + 7], clock.now)
    return 'd'
  elseif op == 'o' and redis.call('EXISTS', device) == 0 then
    return 'u'
  end

  if not is_here(device, devices, me, ARGV[at + 4], clock.now) then
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
      bring_together(key(6), device, me, clock.now)
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
    local is_there = held(key(8), generation) or redis.call('EXISTS', key(9)) == 1
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
    bring_together(device, key(10), me, clock.now)
    return 'd', peer[2]
  end

  -- p
  local sender, other, text = redis.call('HGET', device, 'nickname'), ARGV[at + 10], ARGV[at + 11]
  local session, there = held(key(5), generation)
  local is_kept, behind = false, 0
  if not session and not has_account(key(6)) then return 'u' end
  if not session or is_collecting(key(5)) then
    local box = pending().box_for(key(8), key(9), me)
    is_kept, behind = pending().keep(box, key(7), sender, me, true, text, bounds, clock)
  end
  if not is_kept and session and behind == 0 then
    post(there, session, whispered_event(sender, '', other, text))
    is_kept = true
  end
  return is_kept and 'd' or 'b'
end
