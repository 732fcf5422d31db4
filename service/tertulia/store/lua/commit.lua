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
--       17 the letters of the ops, each once     18 how many nodes whose inboxes are among KEYS,
--       then for each: node, index, channel
--       then the ops, each a letter and its fields, as store/ops.py has them in one table:
--         J join       take the nickname; the event says so     L leave      give it back; the token ends
--         C close      close the chat                           V R k x      mailboxes.lua
--         s S say      append the event                         a c i j l o p  devices.lua
--         w W whisper  to the recipient's inbox
--
-- In front stands LENGTH, the arguments that an op takes, by its letter; and ARGV[at + JOIN.proven] is sent to Redis
-- with the number of that field: both are made from the table.
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

local KEYS, ARGV, tonumber = KEYS, ARGV, tonumber
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
local peers, first_op = {}, 19 + 3 * tonumber(ARGV[18])
for index = 19, first_op - 3, 3 do
  peers[ARGV[index]] = { inbox = KEYS[tonumber(ARGV[index + 1])], channel = ARGV[index + 2] }
end

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

-- What a client has in its hand when it lost its connection: who it was, and what of it was done.
local TOKEN_MS = 3600000
local function remember(index, ...)
  if index == '0' then return end
  write('HSET', KEYS[tonumber(index)], ...)
  write('PEXPIRE', KEYS[tonumber(index)], TOKEN_MS)
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

-- Letters go to inboxes that have to be among KEYS: look for those first, and do nothing without them. And each
-- command that reads is tried here: where it is refused, nothing is done.
local unknown, strangers = {}, {}
local function need(there)
  if there and not peers[there] and not strangers[there] then
    strangers[there] = true
    table.insert(unknown, there)
  end
end

-- What an op does: its letter → function(where it stands in ARGV), which returns the outcome, and perhaps a note; and
-- no outcome where what comes before it has to be done first, and could not. LOOKS: what it reads before any is done.
-- It returns true where the batch is not to be done. Functions take a moment to be made: none is that is not asked for.
local OPS, LOOKS = {}, {}
local function key(place) return KEYS[tonumber(ARGV[place])] end
local letters_there, find = ARGV[17], string.find

if find(letters_there, '[sS]') then
  OPS['s'] = function(at)
    if seat(key(at + SAY.nick)) ~= ARGV[at + SAY.session] then return 'g' end
    events[#events + 1] = ARGV[at + SAY.event]
    return 'd'
  end

  OPS['S'] = function(at)
    local outcome = OPS['s'](at)
    if outcome == 'd' then remember(ARGV[at + SAY_TAGGED.token], 'done', ARGV[at + SAY_TAGGED.tag]) end
    return outcome
  end
end

if find(letters_there, '[wW]') then
  LOOKS['w'] = function(at)
    local to = key(at + WHISPER.recipient)
    local _, there = seat(to)
    if not there or may_collect and is_collecting(to) then return true end
    need(there)
  end
  LOOKS['W'] = LOOKS['w']

  OPS['w'] = function(at)
    if seat(key(at + WHISPER.nick)) ~= ARGV[at + WHISPER.session] then return 'g' end
    local session, there = seat(key(at + WHISPER.recipient))
    if not session then return 'u' end
    post(there, session, ARGV[at + WHISPER.letter])
    return 'd'
  end

  OPS['W'] = function(at)
    local outcome = OPS['w'](at)
    if outcome ~= 'g' then remember(ARGV[at + WHISPER_TAGGED.token], 'done', ARGV[at + WHISPER_TAGGED.tag]) end
    return outcome
  end
end

-- The ops that are in few batches.
if find(letters_there, '[^sSwW]') then
  -- What is kept in this batch is to be written before anybody looks at what waits. Returns whether it is.
  local function is_kept_written()
    if made then made.save_kept() end
    return not rest
  end

  local function set_collecting(nick, is_it)
    collecting[nick] = is_it
    if not is_it then return end
    write('HSET', nick, 'collects', '1')
    write('HSET', keys.meta, 'collecting', digits(clock.now + COLLECTING_MS))
  end

  if find(letters_there, '[JL]') then
    -- What a token proves: to be a guest, or to be the account with the password that it has now. A new password has
    -- another hash, also that of an account that was deleted and made again.
    local GUEST = 'guest'
    local function proof_of(account)
      local hash = redis.call('HGET', account, 'hash')
      return hash and redis.sha1hex(hash) or GUEST
    end

    OPS['J'] = function(at)
      if not is_kept_written() then return nil end
      local nick, session, token = key(at + JOIN.nick), ARGV[at + JOIN.session], ARGV[at + JOIN.token]
      local name, account = ARGV[at + JOIN.key], key(at + JOIN.account)
      local owner, there = seat(nick)
      local proof = proof_of(account)
      local is_account = proof ~= GUEST
      local proven = ARGV[at + JOIN.proven] == '1' and is_account
      local own = proven
      local resumed = ARGV[at + JOIN.resumed] == '1'
      if resumed then
        local was = redis.call('HMGET', KEYS[tonumber(token)], 'key', 'session', 'as', 'joins')
        local ended = redis.call('HGET', key(at + JOIN.ended), 'joins')
        own = own or was[1] == name and (not owner or was[2] == owner) and (was[3] or GUEST) == proof
          and (not ended or tonumber(was[4] or 0) > tonumber(ended))
      end
      local is_own = owner == session
      -- Nobody is left to bury a node that is forgotten, and nobody knew that it held this nickname.
      local is_free = own or owner and not is_own and not is_account and not redis.call('ZSCORE', leases, there)
      joins = joins or tonumber(redis.call('HGET', keys.meta, 'joins') or 0)
      local waits = proven and redis.call('EXISTS', key(at + JOIN.senders), key(at + JOIN.stream)) > 0
      if owner and is_free and not is_own then
        -- Its own earlier session, which nobody has yet noticed to be gone. What that one still has
        -- under way comes to nothing from here on.
        table.insert(events, left_event(redis.call('HGET', nick, 'nickname'), owner))
        write('DEL', nick)
        owner = false
      end
      if is_own then
        -- Written down after Redis lost its data, by others who had heard of it: its own node may not have.
        local present = string.gsub(ARGV[at + JOIN.event], '"joined"', '"present"', 1)
        table.insert(events, present)
        return 'd'
      elseif owner or (is_account or resumed) and not own then
        return 't'
      end
      joins, joined = joins + 1, joined + 1
      -- What every message asks for stands first: a short hash is searched from its begin.
      write('HSET', nick, 'session', session, 'node', node, 'sitting', generation, 'nickname', ARGV[at + JOIN.nickname],
        'dialect', ARGV[at + JOIN.dialect], 'address', ARGV[at + JOIN.address], 'port', ARGV[at + JOIN.port],
        'since', clock.ms)
      write('ZADD', order, joins, name)
      write('SADD', nicks, name)
      seats[nick] = { session, node }
      remember(token, 'key', name, 'session', session, 'as', proof, 'joins', joins)
      if token ~= '0' then write('HSETNX', KEYS[tonumber(token)], 'first', offset + 1) end
      table.insert(events, ARGV[at + JOIN.event])
      if is_account then note_use(account, clock.now) end
      set_collecting(nick, waits)
      return 'd'
    end

    OPS['L'] = function(at)
      local nick, session, token = key(at + LEAVE.nick), ARGV[at + LEAVE.session], key(at + LEAVE.token)
      if token and redis.call('HGET', token, 'session') == session then write('DEL', token) end
      if seat(nick) ~= session then return 'g' end
      write('DEL', nick)
      write('ZREM', order, ARGV[at + LEAVE.key])
      write('SREM', nicks, ARGV[at + LEAVE.key])
      seats[nick] = { false, false }
      table.insert(events, ARGV[at + LEAVE.event])
      return 'd'
    end
  end

  if find(letters_there, 'C') then
    LOOKS['C'] = function()
      redis.call('ZRANGE', order, 0, 0)
    end

    OPS['C'] = function(at)
      if seat(key(at + CLOSE.nick)) ~= ARGV[at + CLOSE.session] then return 'g' end
      if redis.call('ZRANGE', order, 0, 0)[1] ~= ARGV[at + CLOSE.key] then return 'f' end
      write('UNLINK', order)
      write('HINCRBY', keys.meta, 'sitting', 1)
      generation = string.format('%d', generation + 1)
      seats = {}
      table.insert(events, ARGV[at + CLOSE.event])
      return 'd'
    end
  end

  local shared = find(letters_there, '[^sSwWJLC]') and {
    bounds = bounds, clock = clock, inbox = inbox, is_collecting = is_collecting, is_kept_written = is_kept_written,
    key = key, need = need, node = node, order = order, post = post, remember = remember, seat = seat,
    set_collecting = set_collecting,
  }
  if find(letters_there, '[VRkx]') then add_mailbox_ops(OPS, LOOKS, shared) end
  if find(letters_there, '[acijlop]') then add_device_ops(OPS, LOOKS, shared) end
end

local at, last = first_op, #ARGV
while at <= last do
  local op = ARGV[at]
  local look = LOOKS[op]
  if look and look(at) then return { 'away' } end
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

at = first_op
-- What comes after a command that was refused would not see what that one was to do.
while at <= last and not rest do
  local op = ARGV[at]
  local outcome, note = OPS[op](at)
  if not outcome then break end
  outcomes[#outcomes + 1] = outcome
  if note then notes[#notes + 1] = note .. ',' end
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
