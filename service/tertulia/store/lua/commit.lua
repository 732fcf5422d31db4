-- Commit one batch of a node's ops: in order, exactly once, as a whole.
--
-- KEYS  1 meta     2 log     3 marks     4 order     5 leases     6 batches     7 inboxes
--       8 the node's nicks   9 the node's inbox      10… nickname hashes and other nodes' inboxes,
--       named by the index among KEYS
-- ARGV  1 node     2 batch number     3 epoch     4 offset that the node has seen
--       5 lease, ms     6 number up to which the node's inbox is confirmed; 0: as before
--       7 log age, ms     8 log bytes     9 room channel     10 name for a new epoch
--       11 messages and 12 bytes of one sender, 13 bytes in all, that may wait for an account
--       14 number of the node's last batch that was answered in this epoch, 15 of the last letter it has seen
--       16 milliseconds for which a device stays logged in after its last operation
--       17 how many nodes whose inboxes are among KEYS, then for each: node, index, channel
--       then the ops, each a letter and its arguments; a token-index of 0 means none:
--         J index key session nickname dialect address port event token-index resumed
--           account-index proven senders-index older-index ended-index
--                                                                    take the nickname
--         L index key session event token-index                      give it back; the token ends
--         C index key session event                                  close the chat
--         S index session event token-index tag                      append the event
--         s index session event                                      without a token
--         W index session recipient-index letter token-index tag     to the recipient's inbox
--         w index session recipient-index letter                     without a token
--         V … as W, and account-index device-index list-index mailbox-index senders-index own-account-index
--           keep nickname key text                                   or, if he is away, keep it for him
--         R index session letter account-index list-index mailbox-index senders-index own-account-index key text
--                                                                    keep it, or to the session's inbox
--         k index session nickname mailbox-index senders-index senders list-indexes
--                                                                    hand over what waits, some of it
--         a c i j l o p x                                            devices.lua
--
-- Returns one of
--   {'ok', offset, offset of this batch's entry or 0, number of its last letter for the
--    node itself or 0, outcomes: a character an op, notes: what c found, each with a comma}
--    Fewer outcomes than ops: Redis refused a command for a while, and the rest is not done
--   {'fenced'}                 the lease is gone or condemned; nothing done
--   {'epoch', epoch, offset}   Redis lost data, or came back with an older state; nothing done
--   {'away'}                   a recipient of W or w is not in the room, or is being handed what waited:
--                              send V instead; nothing done
--   {'peers', node…}           recipients are on nodes whose inboxes are not among KEYS; nothing done
-- Outcomes: d done, t taken, u unknown recipient, g the session does not hold its nickname,
-- f it is not the administrator, k kept, or of k: more waits, b too much waits already.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local order, leases, batches, inboxes = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local nicks, inbox = KEYS[8], KEYS[9]
local node, batch, epoch, seen = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local clock = read_clock()

local meta = read_meta(keys.meta)
local generation, offset = meta[3] or '0', tonumber(meta[2] or 0)
if meta[1] ~= epoch then return { 'epoch', meta[1] or '', offset } end
if offset < seen then
  begin_epoch(keys.meta, ARGV[10], epoch, offset)
  return done({ 'epoch', ARGV[10], offset })
end

local lease = redis.call('ZSCORE', leases, node)
local saved = redis.call('HGET', batches, node)
-- A node that was buried has neither of them. One whose lease alone was lost may go on.
if not lease and not saved or lease and tonumber(lease) == 0 then return { 'fenced' } end

-- Others may have gone on writing before this node comes: then only what it knows of its own batches
-- and letters tells that some are lost.
local number = saved and string.match(saved, '^%d+')
local last_letter = ARGV[15] ~= '0' and tonumber(redis.call('HGET', inboxes, node) or 0)
if tonumber(number or 0) < tonumber(ARGV[14]) or last_letter and last_letter < tonumber(ARGV[15]) then
  begin_epoch(keys.meta, ARGV[10], epoch, offset)
  return done({ 'epoch', ARGV[10], offset })
end
local expiry = renewed(tonumber(lease or 0), clock.now, tonumber(ARGV[5]))

if saved then
  -- Held up on a connection that its node has given up: what it asks for was done, or is no more.
  if tonumber(number) > tonumber(batch) then return { 'fenced' } end
  if number == batch then
    local entry, letter, outcomes, notes = string.match(saved, '^%d+ (%d+) (%d+) (%a*) ([%d,]*)$')
    write('ZADD', leases, expiry, node)
    return done({ 'ok', offset, tonumber(entry), tonumber(letter), outcomes, notes })
  end
end

local bounds = { count = tonumber(ARGV[11]), sender = tonumber(ARGV[12]), bytes = tonumber(ARGV[13]) }
local at = 18
local peers = {}
for _ = 1, tonumber(ARGV[17]) do
  peers[ARGV[at]] = { inbox = KEYS[tonumber(ARGV[at + 1])], channel = ARGV[at + 2] }
  at = at + 3
end
local first_op = at

local LENGTH = {
  J = 16, L = 6, C = 5, S = 6, s = 4, W = 7, w = 5, V = 17, R = 11, k = 8,
  a = 10, c = 11, i = 8, j = 7, l = 7, o = 5, p = 12, x = 7,
}
-- Who sits where is read once in a batch; what changes it, changes it here too.
local seats = {}
local function seat(key)
  local it = seats[key]
  if not it then
    it = { held(key, generation) }
    seats[key] = it
  end
  return it[1], it[2]
end
-- Whether what waited for somebody in the room is being handed to him: then what comes waits behind it.
local collecting = {}
local may_collect = tonumber(meta[7] or 0) > clock.now
local function is_collecting(key)
  if collecting[key] == nil then
    collecting[key] = may_collect and redis.call('HGET', key, 'collects') ~= false
  end
  return collecting[key]
end
local function collects(key)
  write('HSET', key, 'collects', '1')
  write('HSET', keys.meta, 'collecting', digits(clock.now + COLLECTING_MS))
end

-- Letters go to inboxes that have to be among KEYS: look for those first, and do nothing without them. And each
-- command that reads is tried here: where it is refused, nothing is done.
local unknown, strangers = {}, {}
local function need(there)
  if there and not peers[there] and not strangers[there] then
    strangers[there] = true
    table.insert(unknown, there)
  end
end
while at <= #ARGV do
  local op = ARGV[at]
  if op == 'w' or op == 'W' or op == 'V' then
    local to = KEYS[tonumber(ARGV[at + 3])]
    local _, there = seat(to)
    if op ~= 'V' and (not there or may_collect and is_collecting(to)) then return { 'away' } end
    need(there)
  elseif op == 'R' then
    local _, there = seat(KEYS[tonumber(ARGV[at + 1])])
    need(there)
  elseif op == 'p' then
    local _, there = seat(KEYS[tonumber(ARGV[at + 5])])
    need(there)
  elseif op == 'c' then
    need(redis.call('HGET', KEYS[tonumber(ARGV[at + 10])], 'node'))
  elseif op == 'j' then
    need(redis.call('HGET', KEYS[tonumber(ARGV[at + 6])], 'node'))
  elseif op == 'C' then
    redis.call('ZRANGE', order, 0, 0)
  elseif op == 'x' or op == 'k' then
    redis.call('LRANGE', inbox, 0, 0)
    redis.call('ZRANGE', order, 0, 0)
  end
  at = at + LENGTH[op]
end
if #unknown > 0 then
  table.insert(unknown, 1, 'peers')
  return unknown
end

local confirmed = tonumber(ARGV[6])
local head = confirmed > 0 and redis.call('LINDEX', inbox, 0)
write('ZADD', leases, expiry, node)
if head then
  local first = tonumber(string.match(head, '^%d+'))
  if first <= confirmed then write('LTRIM', inbox, confirmed - first + 1, -1) end
end

-- What a client has in its hand when it lost its connection: who it was, and what of it was done.
local TOKEN_MS = 3600000
local function remember(index, ...)
  if index == '0' then return end
  write('HSET', KEYS[tonumber(index)], ...)
  write('PEXPIRE', KEYS[tonumber(index)], TOKEN_MS)
end

-- What a token proves: to be a guest, or to be the account with the password that it has now. A new password has
-- another hash, also that of an account that was deleted and made again.
local GUEST = 'guest'
local function proof_of(account)
  local hash = redis.call('HGET', account, 'hash')
  return hash and redis.sha1hex(hash) or GUEST
end

local events, outcomes = {}, {}
local joins, joined = nil, 0  -- in all; and by this batch, which are counted at its end
local letters, touched, own_letter = {}, {}, 0
local posted = ' ' .. clock.ms .. ' '
local notes = {}
local function post(there, session, letter)
  local box = letters[there]
  if not box then
    box = { last = there == node and last_letter or tonumber(redis.call('HGET', inboxes, there) or 0) }
    letters[there] = box
    table.insert(touched, there)
  end
  box.last = box.last + 1
  if there == node then own_letter = box.last end
  box[#box + 1] = box.last .. ' ' .. session .. posted .. letter
end

at = first_op
-- What comes after a command that was refused would not see what that one was to do.
while at <= #ARGV and not rest do
  local op = ARGV[at]
  if made and (op == 'x' or op == 'k' or op == 'J') then  -- which look at what waits
    made.save_kept()
    if rest then break end
  end
  local key = KEYS[tonumber(ARGV[at + 1])]
  local outcome = 'd'
  if op == 's' or op == 'S' then
    if seat(key) == ARGV[at + 2] then
      events[#events + 1] = ARGV[at + 3]
      if op == 'S' then remember(ARGV[at + 4], 'done', ARGV[at + 5]) end
    else
      outcome = 'g'
    end
  elseif op == 'w' or op == 'W' or op == 'V' then
    if seat(key) == ARGV[at + 2] then
      local to, behind = KEYS[tonumber(ARGV[at + 3])], 0
      local session, there = seat(to)
      if op == 'V' and (not session or is_collecting(to)) then
        outcome, behind = keep_for_absent(at + 7, session, bounds, clock)
      elseif not session then
        outcome = 'u'
      end
      if session and (op ~= 'V' or outcome == 'b' and behind == 0 or not is_collecting(to)) then
        post(there, session, ARGV[at + 4])
        outcome = 'd'
      end
      if op ~= 'w' then remember(ARGV[at + 5], 'done', ARGV[at + 6]) end
    else
      outcome = 'g'
    end
  elseif op == 'J' then
    local token = ARGV[at + 9]
    local owner, there = seat(key)
    local proof = proof_of(KEYS[tonumber(ARGV[at + 11])])
    local is_account = proof ~= GUEST
    local proven = ARGV[at + 12] == '1' and is_account
    local own = proven
    local resumed = ARGV[at + 10] == '1'
    if resumed then
      local was = redis.call('HMGET', KEYS[tonumber(token)], 'key', 'session', 'as', 'joins')
      local ended = redis.call('HGET', KEYS[tonumber(ARGV[at + 15])], 'joins')
      own = own or was[1] == ARGV[at + 2] and (not owner or was[2] == owner) and (was[3] or GUEST) == proof
        and (not ended or tonumber(was[4] or 0) > tonumber(ended))
    end
    local is_own = owner == ARGV[at + 3]
    -- Nobody is left to bury a node that is forgotten, and nobody knew that it held this nickname.
    local is_free = own or owner and not is_own and not is_account and not redis.call('ZSCORE', leases, there)
    joins = joins or tonumber(redis.call('HGET', keys.meta, 'joins') or 0)
    local waits = proven and redis.call('EXISTS', KEYS[tonumber(ARGV[at + 13])], KEYS[tonumber(ARGV[at + 14])]) > 0
    if owner and is_free and not is_own then
      -- Its own earlier session, which nobody has yet noticed to be gone. What that one still has
      -- under way comes to nothing from here on.
      table.insert(events, left_event(redis.call('HGET', key, 'nickname'), owner))
      write('DEL', key)
      owner = false
    end
    if is_own then
      -- Written down after Redis lost its data, by others who had heard of it: its own node may not have.
      local present = string.gsub(ARGV[at + 8], '"joined"', '"present"', 1)
      table.insert(events, present)
    elseif owner or (is_account or resumed) and not own then
      outcome = 't'
    else
      joins, joined = joins + 1, joined + 1
      -- What every message asks for stands first: a short hash is searched from its begin.
      write('HSET', key, 'session', ARGV[at + 3], 'node', node, 'sitting', generation, 'nickname', ARGV[at + 4],
        'dialect', ARGV[at + 5], 'address', ARGV[at + 6], 'port', ARGV[at + 7], 'since', clock.ms)
      write('ZADD', order, joins, ARGV[at + 2])
      write('SADD', nicks, ARGV[at + 2])
      seats[key] = { ARGV[at + 3], node }
      remember(token, 'key', ARGV[at + 2], 'session', ARGV[at + 3], 'as', proof, 'joins', joins)
      if token ~= '0' then write('HSETNX', KEYS[tonumber(token)], 'first', offset + 1) end
      table.insert(events, ARGV[at + 8])
      if is_account then note_use(KEYS[tonumber(ARGV[at + 11])], clock.now) end
      if waits then collects(key) end
      collecting[key] = waits
    end
  elseif op == 'L' then
    local token = KEYS[tonumber(ARGV[at + 5])]
    if token and redis.call('HGET', token, 'session') == ARGV[at + 3] then write('DEL', token) end
    if seat(key) == ARGV[at + 3] then
      write('DEL', key)
      write('ZREM', order, ARGV[at + 2])
      write('SREM', nicks, ARGV[at + 2])
      seats[key] = { false, false }
      table.insert(events, ARGV[at + 4])
    else
      outcome = 'g'
    end
  elseif op == 'C' then
    if seat(key) ~= ARGV[at + 3] then
      outcome = 'g'
    elseif redis.call('ZRANGE', order, 0, 0)[1] ~= ARGV[at + 2] then
      outcome = 'f'
    else
      write('UNLINK', order)
      write('HINCRBY', keys.meta, 'sitting', 1)
      generation = string.format('%d', generation + 1)
      seats = {}
      table.insert(events, ARGV[at + 4])
    end
  elseif op == 'R' then
    local session, there = seat(key)
    local sender, list = ARGV[at + 9], KEYS[tonumber(ARGV[at + 5])]
    local is_kept = has_account(KEYS[tonumber(ARGV[at + 4])])
    if is_kept then
      local box = pending().box_for(KEYS[tonumber(ARGV[at + 6])], KEYS[tonumber(ARGV[at + 7])], sender)
      local is_account = has_account(KEYS[tonumber(ARGV[at + 8])])
      -- What waited before it was handed over was acknowledged, and its sender is not told: it has room.
      local room = ARGV[at + 2] == '' and { count = math.huge, sender = math.huge, bytes = math.huge } or bounds
      is_kept = pending().keep(box, list, sender, sender, is_account, ARGV[at + 10], room, clock)
    end
    if is_kept then
      outcome = 'k'
    elseif session == ARGV[at + 2] then
      post(there, session, ARGV[at + 3])
    else
      outcome = 'g'
    end
  elseif op == 'k' then
    if seat(key) == ARGV[at + 2] then
      local names, lists = {}, {}
      local index = string.gmatch(ARGV[at + 7], '%d+')
      for name in string.gmatch(ARGV[at + 6], '%S+') do
        names[#names + 1], lists[name] = name, KEYS[tonumber(index())]
      end
      local box = pending().open_box(KEYS[tonumber(ARGV[at + 4])], KEYS[tonumber(ARGV[at + 5])], unpack(names))
      local is_more = pending().take_oldest(box, lists, names, function(sender, text)
        post(node, ARGV[at + 2], whispered_event(sender, '', ARGV[at + 3], text))
      end)
      if is_more then collects(key) else write('HDEL', key, 'collects') end
      outcome, collecting[key] = is_more and 'k' or 'd', is_more
    else
      outcome = 'g'
    end
  else
    local note
    outcome, note = device_op(op, at, clock, generation, bounds, post, is_collecting)
    if note then table.insert(notes, note .. ',') end
  end
  outcomes[#outcomes + 1] = outcome
  at = at + LENGTH[op]
end

if made then made.save_kept() end
if joined > 0 then write('HINCRBY', keys.meta, 'joins', joined) end
local entry = 0
if #events > 0 then
  entry = append(keys, meta, node, batch, clock, events, ARGV[9], tonumber(ARGV[7]), tonumber(ARGV[8]))
  offset = entry
else
  trim(keys, clock.now, tonumber(meta[4] or 0), tonumber(ARGV[7]), tonumber(ARGV[8]))
end
for _, there in ipairs(touched) do
  local box, peer = letters[there], peers[there]
  write('HSET', inboxes, there, box.last)
  for from = 1, #box, 1000 do  -- unpack has a bound
    write('RPUSH', peer.inbox, unpack(box, from, math.min(from + 999, #box)))
  end
  write('PUBLISH', peer.channel, '1 i ' .. epoch .. '\n' .. table.concat(box, '\n'))
end
local result, noted = table.concat(outcomes), table.concat(notes)
write('HSET', batches, node, table.concat({ batch, entry, own_letter, result, noted }, ' '))
return done({ 'ok', offset, entry, own_letter, result, noted })
