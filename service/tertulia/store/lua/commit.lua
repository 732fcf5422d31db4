-- Commit one batch of a node's ops: in order, exactly once, as a whole.
--
-- KEYS  1 meta     2 log     3 marks     4 members     5 leases     6 batches     7 inboxes
--       8 the node's nicks   9 the node's inbox      10… nickname hashes and other nodes' inboxes,
--       named by the index among KEYS
-- ARGV  1 node     2 batch number     3 epoch     4 offset that the node has seen
--       5 lease, ms     6 number up to which the node's inbox is confirmed; 0: as before
--       7 log age, ms     8 log bytes     9 room channel     10 name for a new epoch
--       11 messages and 12 bytes of one sender, 13 bytes in all, that may wait for an account
--       14 number of the node's last batch that was answered in this epoch, 15 of the last letter it has seen
--       16 milliseconds for which a device stays logged in after its last operation
--       17 the letters of the ops, each once     18 how many nodes whose inboxes are among KEYS
--       19 how many letters the node has written for its own inbox
--       then for each of those nodes: node, index, channel
--       then those letters, numbered from the one behind the last that the node has seen
--       then the ops, each a letter and its fields, as store/ops.py has them in one table:
--         J join       take the nickname; the event says so     L leave      give it back; the token ends
--         C close      close the chat                           V R h k x    mailboxes.lua
--         s S say      append the event                         a c i j l o p  devices.lua
--         P presence   say what is another way with somebody
--         n refused    a message that the node did not pass on: remember that with the token
--         w W whispers to the recipients' inboxes                Q M            restraints.lua
--         r whispers in a row from the node's sessions to each other: those letters
--
-- In front stands length(), the arguments that an op takes, by its letter; and ARGV[at + JOIN.proven] is sent to Redis
-- with the number of that field: both are made from the table.
--
-- Returns one of
--   {'ok', offset, offset of this batch's entry or 0, number of its last letter for the
--    node itself or 0, outcomes: a character an op, notes: numbers, each with a comma, own: '' where the letters to the
--    node itself are published; else they are not, and it is: when it was, ms, and of each whisper that is done the
--    recipient's session, '-' on another node; '*' for all of an r, as the node knows those. So it is in a batch of r, w
--    and W alone of a node that has seen the whole log and all its letters. Where the reply is lost, they are published
--    when the batch is sent again}
--    Fewer outcomes than ops: Redis refused a command for a while, and the rest is not done
--   {'fenced'}                 the lease is gone or condemned; nothing done
--   {'epoch', epoch, offset}   Redis lost data, or came back with an older state; nothing done
--   {'away'}                   a recipient of W or w is not in the room, or is being handed what waited:
--                              send V instead; nothing done
--   {'unseen'}                 the node has not seen the whole log and all its letters, or somebody in the room may be
--                              being handed what waited: send w instead of r; nothing done
--   {'restrained'}             mutes, slow mode or accounts-only may be in force: send Q as well; nothing done
--   {'peers', node…}           recipients are on nodes whose inboxes are not among KEYS; nothing done
-- Outcomes: d done, t taken, u unknown recipient, g the session does not hold its nickname,
-- f it is not the administrator, or no moderator, k kept, or of k: more waits, b too much waits already, or too many are
-- muted; m muted, s too soon in slow mode, a only accounts may: the note says until when, ms. Q has none. A join that
-- is done has two: its number, and since when the account is there that the session proved to be, 0 for a guest.

local KEYS, ARGV, tonumber = KEYS, ARGV, tonumber
local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local members, leases, batches, inboxes = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local nicks, inbox = KEYS[8], KEYS[9]
local node, batch, epoch, seen = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local clock = read_clock()

local function tell_letters(channel, letters)
  write('PUBLISH', channel, '1 i ' .. epoch .. '\n' .. table.concat(letters, '\n'))
end

local meta = read_meta(keys.meta, 'sitting', 'collecting')
local generation, offset = meta[7] or '0', tonumber(meta[2] or 0)
if meta[1] ~= epoch then return { 'epoch', meta[1] or '', offset } end
if offset < seen then
  begin_epoch(keys.meta, ARGV[10], epoch, offset, clock)
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
  begin_epoch(keys.meta, ARGV[10], epoch, offset, clock)
  return done({ 'epoch', ARGV[10], offset })
end
local expiry = renewed(tonumber(lease or 0), clock.now, tonumber(ARGV[5]))
local peers, written = {}, tonumber(ARGV[19])
local first_letter = 20 + 3 * tonumber(ARGV[18])
local first_op = first_letter + written
for index = 20, first_letter - 3, 3 do
  peers[ARGV[index]] = { inbox = KEYS[tonumber(ARGV[index + 1])], channel = ARGV[index + 2] }
end

if saved then
  -- Held up on a connection that its node has given up: what it asks for was done, or is no more.
  if tonumber(number) > tonumber(batch) then return { 'fenced' } end
  if number == batch then
    local entry, letter, outcomes, notes = string.match(saved, '^%d+ (%d+) (%d+) (%a*) ([%d,]*)$')
    local untold = {}
    if tonumber(letter) > tonumber(ARGV[15]) then
      local first = tonumber(string.match(redis.call('LINDEX', inbox, 0) or letter + 1, '^%d+'))
      untold = redis.call('LRANGE', inbox, math.max(0, ARGV[15] + 1 - first), math.max(0, letter - first))
    end
    write('ZADD', leases, expiry, node)
    if #untold > 0 then tell_letters(peers[node].channel, untold) end
    return done({ 'ok', offset, tonumber(entry), tonumber(letter), outcomes, notes, '' })
  end
end

local bounds = { count = tonumber(ARGV[11]), sender = tonumber(ARGV[12]), bytes = tonumber(ARGV[13]) }
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
local may_collect = tonumber(meta[8] or 0) > clock.now
local function is_collecting(key)
  if collecting[key] == nil then
    collecting[key] = may_collect and redis.call('HGET', key, 'collects') ~= false
  end
  return collecting[key]
end

-- What a client has in its hand when it lost its connection: who it was, and what of it was done.
local TOKEN_MS = 3900000  -- renewed while the session is here: renewing.py
local function remember(index, ...)
  if index == '0' then return end
  write('HSET', KEYS[tonumber(index)], ...)
  write('PEXPIRE', KEYS[tonumber(index)], TOKEN_MS)
end

-- What became of a client's message. Of the last numbers it is kept which were refused, each in the field of its
-- remainder: so nothing has to be read, and a hash stays small.
local KNOWN_REFUSED = 256
local function note_answer(index, tag, outcome)
  if outcome == 'd' or outcome == 'k' then
    remember(index, 'done', tag)
  elseif outcome ~= 'g' then
    remember(index, 'done', tag, 'refused' .. string.format('%d', tag % KNOWN_REFUSED), tag)
  end
end

local events, outcomes = {}, {}
local joins, joined = nil, 0  -- in all; and by this batch, which are counted at its end
local letters, touched, own_letter = {}, {}, 0
local readers = {}  -- of each whisper that was put into an inbox: its session, where it is this node's own
local posted = ' ' .. clock.ms .. ' '
local notes = {}
local function box_of(there)
  local box = letters[there]
  if not box then
    box = { last = there == node and last_letter or tonumber(redis.call('HGET', inboxes, there) or 0) }
    box.before = box.last
    letters[there] = box
    table.insert(touched, there)
  end
  return box
end

local function post(there, session, letter, at)
  local box = box_of(there)
  box.last = box.last + 1
  if there == node then own_letter = box.last end
  box[#box + 1] = box.last .. ' ' .. session .. (at and ' ' .. at .. ' ' or posted) .. letter
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
-- It returns true where the batch is not to be done, or the word that says why. Functions take a moment to be made: none
-- is that is not asked for.
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
    local outcome, note = OPS['s'](at)
    note_answer(ARGV[at + SAY_TAGGED.token], ARGV[at + SAY_TAGGED.tag], outcome)
    return outcome, note
  end
end

local shared = {}
if find(letters_there, '[wW]') then
  local function look_for(to)
    local _, there = seat(to)
    if not there or may_collect and is_collecting(to) then return true end
    need(there)
  end

  local function whisper(nick, session, to, letter)
    local ends = shared.silenced_until and shared.silenced_until(nick, to)
    if ends then return 'm', ends end
    if seat(nick) ~= session then return 'g' end
    local reader, there = seat(to)
    if not reader then return 'u' end
    post(there, reader, letter)
    readers[#readers + 1] = there == node and reader or '-'
    return 'd'
  end

  local unpacked = {}
  LOOKS['w'] = function(at)
    local whispers = cmsgpack.unpack(ARGV[at + WHISPERS.packed])
    unpacked[at] = whispers
    for index = 3, #whispers, 4 do
      if look_for(KEYS[whispers[index]]) then return true end
    end
  end

  OPS['w'] = function(at)
    local whispers, said, whys = unpacked[at], {}, {}
    for index = 1, #whispers, 4 do
      said[#said + 1], whys[#whys + 1] =
        whisper(KEYS[whispers[index]], whispers[index + 1], KEYS[whispers[index + 2]], whispers[index + 3])
    end
    return table.concat(said), whys[1] and table.concat(whys, ',')
  end

  LOOKS['W'] = function(at)
    return look_for(key(at + WHISPER.recipient))
  end

  OPS['W'] = function(at)
    local outcome, note = whisper(key(at + WHISPER.nick), ARGV[at + WHISPER.session], key(at + WHISPER.recipient),
      ARGV[at + WHISPER.letter])
    note_answer(ARGV[at + WHISPER.token], ARGV[at + WHISPER.tag], outcome)
    return outcome, note
  end
end

if find(letters_there, 'r') then
  LOOKS['r'] = function()
    return (offset ~= seen or may_collect or box_of(node).last ~= tonumber(ARGV[15])) and 'unseen'
  end

  OPS['r'] = function()
    local box = box_of(node)
    box.last, box.written = box.last + written, written
    own_letter = box.last
    readers[#readers + 1] = '*'
    return string.rep('d', written)
  end
end

-- Few batches look for what moderators have set.
if meta[6] == '1' and find(letters_there, '[sSwWVr]') and not find(letters_there, 'Q') then return { 'restrained' } end

-- The ops that are in few batches.
if find(letters_there, '[^sSwWr]') then
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
      local it = redis.call('HMGET', account, 'hash', 'since')
      return it[1] and redis.sha1hex(it[1]) or GUEST, it[1] and it[2] or '0'
    end

    OPS['J'] = function(at)
      if not is_kept_written() then return nil end
      local nick, session, token = key(at + JOIN.nick), ARGV[at + JOIN.session], ARGV[at + JOIN.token]
      local name, account = ARGV[at + JOIN.key], key(at + JOIN.account)
      local owner, there = seat(nick)
      local proof, since = proof_of(account)
      local is_account = proof ~= GUEST
      local proven = ARGV[at + JOIN.proven] == '1' and is_account
      local own = proven
      local resumed, goes_on = ARGV[at + JOIN.resumed] == '1', false
      if resumed then
        local was = redis.call('HMGET', KEYS[tonumber(token)], 'key', 'session', 'as', 'joins')
        local ended = redis.call('HGET', key(at + JOIN.ended), 'joins')
        local proves = was[1] == name and (not owner or was[2] == owner) and (was[3] or GUEST) == proof
          and (not ended or tonumber(was[4] or 0) > tonumber(ended))
        own, goes_on = own or proves, proves and owner
      end
      local is_own = owner == session
      -- Nobody is left to bury a node that is forgotten, and nobody knew that it held this nickname.
      local is_free = own or owner and not is_own and not is_account and not redis.call('ZSCORE', leases, there)
      joins = joins or tonumber(redis.call('HGET', keys.meta, 'joins') or 0)
      local event, is_proven = ARGV[at + JOIN.event], own and is_account
      if is_proven then event = string.sub(event, 1, -2) .. ',"a":true}' end
      local waits = proven and redis.call('EXISTS', key(at + JOIN.senders), key(at + JOIN.stream)) > 0
      if owner and is_free and not is_own then
        -- Its own earlier session, which may not be noticed to be gone yet. What that one still has under way comes
        -- to nothing from here on. Who shows its token goes on in its seat, and nobody is told.
        if goes_on then
          event = string.sub(event, 1, -2) .. ',"w":"' .. owner .. '"}'
        else
          table.insert(events, left_event(redis.call('HGET', nick, 'nickname'), owner))
        end
        write('DEL', nick)
        owner = false
      end
      if is_own then
        -- Written down after Redis lost its data, by others who had heard of it: its own node may not have.
        local present = string.gsub(event, '"joined"', '"present"', 1)
        table.insert(events, present)
        -- What the session has said since that, it says again behind this.
        write('HSET', nick, 'proven', is_proven and 1 or 0, 'away', '', 'about', ARGV[at + JOIN.about])
        return 'd', (redis.call('ZSCORE', members, name) or '0') .. ',' .. (own and since or '0')
      elseif owner or (is_account or resumed) and not own then
        return 't'
      end
      joins, joined = joins + 1, joined + 1
      -- What every message asks for stands first: a short hash is searched from its begin.
      write('HSET', nick, 'session', session, 'node', node, 'sitting', generation, 'nickname', ARGV[at + JOIN.nickname],
        'dialect', ARGV[at + JOIN.dialect], 'address', ARGV[at + JOIN.address], 'port', ARGV[at + JOIN.port],
        'since', clock.ms, 'proven', is_proven and 1 or 0, 'away', '', 'about', ARGV[at + JOIN.about])
      if goes_on then
        write('ZADD', members, 'NX', joins, name)
      else
        write('ZADD', members, joins, name)
      end
      write('SADD', nicks, name)
      seats[nick] = { session, node }
      remember(token, 'key', name, 'session', session, 'as', proof, 'joins', joins)
      if token ~= '0' then write('HSETNX', KEYS[tonumber(token)], 'first', offset + 1) end
      table.insert(events, event)
      if is_account then note_use(account, clock.now) end
      set_collecting(nick, waits)
      return 'd', string.format('%d,', joins) .. (own and since or '0')
    end

    OPS['L'] = function(at)
      local nick, session, token = key(at + LEAVE.nick), ARGV[at + LEAVE.session], key(at + LEAVE.token)
      if token and redis.call('HGET', token, 'session') == session then write('DEL', token) end
      if seat(nick) ~= session then return 'g' end
      write('DEL', nick)
      write('ZREM', members, ARGV[at + LEAVE.key])
      write('SREM', nicks, ARGV[at + LEAVE.key])
      seats[nick] = { false, false }
      table.insert(events, ARGV[at + LEAVE.event])
      return 'd'
    end
  end

  if find(letters_there, 'n') then
    OPS['n'] = function(at)
      if seat(key(at + REFUSED.nick)) ~= ARGV[at + REFUSED.session] then return 'g' end
      note_answer(ARGV[at + REFUSED.token], ARGV[at + REFUSED.tag], 'u')
      return 'd'
    end
  end

  if find(letters_there, 'P') then
    OPS['P'] = function(at)
      local nick = key(at + PRESENCE.nick)
      if seat(nick) ~= ARGV[at + PRESENCE.session] then return 'g' end
      local was = redis.call('HMGET', nick, 'away', 'proven')
      local away, proven = ARGV[at + PRESENCE.away], ARGV[at + PRESENCE.proven]
      if ARGV[at + PRESENCE.away_event] ~= '' and (was[1] or '') ~= away then
        write('HSET', nick, 'away', away)
        events[#events + 1] = ARGV[at + PRESENCE.away_event]
      end
      if ARGV[at + PRESENCE.proven_event] ~= '' and (was[2] or '0') ~= proven then
        write('HSET', nick, 'proven', proven)
        events[#events + 1] = ARGV[at + PRESENCE.proven_event]
      end
      return 'd'
    end
  end

  if find(letters_there, 'C') then
    LOOKS['C'] = function()
      redis.call('ZRANGE', members, 0, 0)
    end

    OPS['C'] = function(at)
      if seat(key(at + CLOSE.nick)) ~= ARGV[at + CLOSE.session] then return 'g' end
      if redis.call('ZRANGE', members, 0, 0)[1] ~= ARGV[at + CLOSE.key] then return 'f' end
      write('UNLINK', members)
      write('HINCRBY', keys.meta, 'sitting', 1)
      write('HSET', keys.meta, 'closed', string.format('%d', offset + 1))
      generation = string.format('%d', generation + 1)
      seats = {}
      table.insert(events, ARGV[at + CLOSE.event])
      return 'd'
    end
  end

  if find(letters_there, '[^sSwWrJLCnP]') then
    shared.bounds, shared.clock, shared.inbox, shared.key, shared.node, shared.members = bounds, clock, inbox, key, node, members
    shared.is_collecting, shared.is_kept_written, shared.set_collecting = is_collecting, is_kept_written, set_collecting
    shared.need, shared.note_answer, shared.post, shared.seat = need, note_answer, post, seat
  end
  if find(letters_there, '[VRhkx]') then add_mailbox_ops(OPS, LOOKS, shared) end
  if find(letters_there, '[acijlop]') then add_device_ops(OPS, LOOKS, shared) end
  if find(letters_there, 'Q') then
    shared.events, shared.log, shared.meta, shared.is_restrained = events, keys.log, keys.meta, meta[6] == '1'
    shared.may = function(at, name, action, rules)
      if find(action, '^moderator') or action == 'outsiders' then return false end
      local since = redis.call('HGET', rules, 'moderator:' .. name)
      -- The same account: one that was deleted, and made again by somebody else, is another.
      return since and redis.call('HGET', key(at + MODERATE.account), 'since') == since
    end
    shared.evict = function(at, name, nick, there)
      write('DEL', nick)
      write('ZREM', members, name)
      -- What another node has beside it, its own maintenance takes away.
      if there == ARGV[at + MODERATE.there] then write('SREM', key(at + MODERATE.nicks), name) end
      end_tokens(key(at + MODERATE.ended), keys.meta)
      seats[nick] = { false, false }
    end
    add_restraints(OPS, LOOKS, shared)
  end
end

local at, last = first_op, #ARGV
while at <= last do
  local op = ARGV[at]
  local look = LOOKS[op]
  local why = look and look(at)
  if why then return { why == true and 'away' or why } end
  at = at + length(op)
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
  at = at + length(op)
end

if made then made.save_kept() end
if joined > 0 then write('HINCRBY', keys.meta, 'joins', joined) end
local entry = 0
if #events > 0 then
  entry = append(keys, meta, node, batch, clock, events, ARGV[9], tonumber(ARGV[7]), tonumber(ARGV[8]))
  offset = entry
else
  trim(keys, clock.now, tonumber(meta[3] or 0), tonumber(ARGV[7]), tonumber(ARGV[8]))
end
local function put(list, from, first, end_of_it)
  for index = first, end_of_it, 1000 do  -- unpack has a bound
    write('RPUSH', list, unpack(from, index, math.min(index + 999, end_of_it)))
  end
end
local own = ''
for _, there in ipairs(touched) do
  local box, peer = letters[there], peers[there]
  write('HSET', inboxes, there, box.last)
  put(peer.inbox, ARGV, first_letter, first_letter + (box.written or 0) - 1)  -- of an r, which is the first
  put(peer.inbox, box, 1, #box)
  -- A node that has seen all before these learns of its own by the reply: it has written them itself.
  if there == node and box.before == tonumber(ARGV[15]) and offset == seen and not find(letters_there, '[^wWr]') then
    own = clock.ms .. ' ' .. table.concat(readers, ' ')
  else
    local told = box
    if box.written then
      told = {}
      for index = first_letter, first_op - 1 do told[#told + 1] = ARGV[index] end
      for _, letter in ipairs(box) do told[#told + 1] = letter end
    end
    tell_letters(peer.channel, told)
  end
end
local result, noted = table.concat(outcomes), table.concat(notes)
write('HSET', batches, node, table.concat({ batch, entry, own_letter, result, noted }, ' '))
return done({ 'ok', offset, entry, own_letter, result, noted, own })
