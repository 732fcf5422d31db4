-- Commit one batch of a node's ops in a further room: in order, exactly once, as a whole.
--
-- KEYS  1 meta     2 log     3 marks     4 batches     5 condemned     6 tokens
--       7… nickname hashes, and other keys, named by the index among KEYS
--       and behind them, unless all ops are S or all are s: members, token-ends, moderation
-- ARGV  1 node     2 batch number     3 epoch     4 offset that the node has seen
--       5 log age, ms     6 room channel     7 number of the node's last batch that was answered in this epoch
--       8 what is seldom looked at: log bytes, name for a new epoch, members at most, with spaces between
--       9 the letters of the ops, each once
--       then the ops, each a letter and its fields, as store/ops.py has them in one table:
--         y join    z leave    s say    S say, with a token    u U the same by somebody who is not in the room
--         n refused    Q M restraints.lua
--       A token is given by its key, '' for none: it is a field here, and no key of Redis.
--
-- Returns one of
--   offset                     all was said, and that is the entry (room_talk.lua)
--   {'ok', offset, offset of this batch's entry or 0, members or -1 where nobody comes or goes, outcomes, notes}: as
--                              commit.lua
--   {'fenced'}                 the node is condemned; nothing done
--   {'epoch', epoch, offset}   Redis lost data, or came back with an older state; nothing done
--   {'restrained'}             mutes, slow mode or accounts-only may be in force: send Q as well; nothing done
-- Outcomes: those of commit.lua
--
--   {chat#room}:tokens      hash: token → "<first offset> <done> <refused>,<refused>,…"
--   {chat#room}:token-ends  zset: token whose seat is given back → when it is forgotten, ms
--   {chat#room}:condemned   zset: node that was buried → until when that is known, ms
--   meta, used              1 where something was ever said or moderated: else it is forgotten as soon as nobody is there
-- There are no leases: a room that is idle costs nothing. Who buries a node condemns it here first.

if talk then
  begun = true
  for place = talk.from, #talk.commands do
    if talk.commands[place] then write(unpack(talk.commands[place])) end
  end
  return done(talk.reply)
end

local KEYS, ARGV, tonumber, find = KEYS, ARGV, tonumber, string.find
local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local batches, tokens = KEYS[4], KEYS[6]
local members, token_ends, rules = KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]  -- other keys where members only talk
local node, batch, epoch, seen = ARGV[1], ARGV[2], ARGV[3], ARGV[4] + 0
local max_bytes, new_epoch, most_members = string.match(ARGV[8], '^(%d+) (%S+) (%d+)$')
local clock = read_clock()
if redis.call('ZSCORE', KEYS[5], node) then return { 'fenced' } end

local meta = read_meta(keys.meta, 'used')
local offset = (meta[2] or 0) + 0
if meta[1] ~= epoch then return { 'epoch', meta[1] or '', offset } end
local saved = redis.call('HGET', batches, node)
local number = saved and string.match(saved, '^%d+')
local last = (number or 0) + 0
-- Others may have gone on writing: then only what the node knows of its own batches tells that some are lost.
if offset < seen or last < ARGV[7] + 0 then
  begin_epoch(keys.meta, new_epoch, epoch, offset, clock)
  return done({ 'epoch', new_epoch, offset })
end
if saved then
  -- Held up on a connection that its node has given up.
  if last > batch + 0 then return { 'fenced' } end
  if number == batch then
    local entry, count, outcomes, notes = string.match(saved, '^%d+ (%d+) (-?%d+) (%a*) ([%d,]*)$')
    write('HSET', batches, node, saved)  -- a server that takes no writes is to refuse this as well
    return done({ 'ok', offset, tonumber(entry), tonumber(count), outcomes, notes })
  end
end

local letters = ARGV[9]
local is_talk = not find(letters, '[^sSuU]')
if meta[6] == '1' and (is_talk or find(letters, '[sSuU]') and not find(letters, 'Q')) then return { 'restrained' } end

local count = not is_talk and find(letters, '[^sSuUnQ]') and redis.call('ZCARD', members) or -1
local events, result, noted = {}, '', ''
local known = {}  -- token → its value, where that has changed

local seats = {}
local function seat(key)
  local session = seats[key]
  if session == nil then
    session = redis.call('HGET', key, 'session')
    seats[key] = session
  end
  return session
end

local TOKEN_MS, MOST_REFUSED = 3900000, 3072  -- bytes: 256 numbers, however long
local function value_of(token) return known[token] or redis.call('HGET', tokens, token) or '0 0 ' end

local function note_answer(token, tag, outcome)
  if token == '' or outcome == 'g' then return end
  local value = value_of(token)
  local first, behind = string.match(value, '^(%S+ )%S+ ()')
  local refusals = string.sub(value, behind)
  if outcome ~= 'd' then
    -- The latest first. Far more than are asked for are kept, so that it has to be cut seldom.
    refusals = tag .. ',' .. refusals
    if #refusals > MOST_REFUSED + 1024 then
      refusals = string.match(string.sub(refusals, 1, MOST_REFUSED), '^.*,')
    end
  end
  known[token] = first .. tag .. ' ' .. refusals
end

local OPS = {}
local function key(place) return KEYS[ARGV[place] + 0] end

OPS['s'] = function(at)
  if seat(key(at + SAY.nick)) ~= ARGV[at + SAY.session] then return 'g' end
  events[#events + 1] = ARGV[at + SAY.event]
  return 'd'
end

if find(letters, '[uU]') then
  local is_open = redis.call('HGET', rules, 'outsiders') ~= false
  OPS['u'] = function(at)
    if not is_open then return 'u' end
    events[#events + 1] = ARGV[at + SAY.event]
    return 'd'
  end
end

if not is_talk then
  local LOOKS, is_new = {}, offset == 0
  -- Rooms are not closed, so there is one generation.
  local GENERATION, MOST = '0', most_members + 0

  local function end_seat(nick, token)
    if token and token ~= '' then write('ZADD', token_ends, string.format('%d', clock.now + TOKEN_MS), token) end
    write('DEL', nick)
    seats[nick] = false
  end

  OPS['y'] = function(at)
    local nick, session, token = key(at + ROOM_JOIN.nick), ARGV[at + ROOM_JOIN.session], ARGV[at + ROOM_JOIN.token]
    local name, join, account = ARGV[at + ROOM_JOIN.key], ARGV[at + ROOM_JOIN.number], ARGV[at + ROOM_JOIN.account]
    local owner, event = seat(nick), ARGV[at + ROOM_JOIN.event]
    local was = owner and redis.call('HMGET', nick, 'number', 'token', 'nickname')
    if owner == session then
      -- Written down after Redis lost its data, by others who had heard of it: its own node may not have.
      events[#events + 1] = string.gsub(event, '"joined"', '"present"', 1)
      return 'd'
    end
    if owner and tonumber(was[1] or 0) > tonumber(join) then return 'g' end
    if not owner and count >= MOST then return 'b' end
    if owner and ARGV[at + ROOM_JOIN.resumed] == '1' and token ~= '' and was[2] == token then
      event = string.sub(event, 1, -2) .. ',"w":"' .. owner .. '"}'
      write('ZADD', members, 'NX', join, name)
    else
      if owner then
        events[#events + 1] = left_event(was[3], owner)
        end_seat(nick, was[2])
      else
        count = count + 1
      end
      write('ZADD', members, join, name)
    end
    write('HSET', nick, 'session', session, 'node', node, 'sitting', GENERATION, 'nickname', ARGV[at + ROOM_JOIN.nickname],
      'dialect', ARGV[at + ROOM_JOIN.dialect], 'number', join, 'account', account, 'token', token,
      'about', ARGV[at + ROOM_JOIN.about])
    seats[nick] = session
    if token ~= '' then
      local value = value_of(token)
      if find(value, '^0 ') then known[token] = string.format('%d', offset + 1) .. string.sub(value, 2) end
      write('ZREM', token_ends, token)
    end
    events[#events + 1] = event
    if is_new and account ~= '0' then
      write('HSET', rules, 'owner:' .. name, account)
      events[#events + 1] = ARGV[at + ROOM_JOIN.owned]
    end
    is_new = false
    return 'd'
  end

  OPS['z'] = function(at)
    local nick, session, token = key(at + ROOM_LEAVE.nick), ARGV[at + ROOM_LEAVE.session], ARGV[at + ROOM_LEAVE.token]
    if token ~= '' then
      write('HDEL', tokens, token)
      write('ZREM', token_ends, token)
      known[token] = nil
    end
    if seat(nick) ~= session then return 'g' end
    end_seat(nick, token == '' and redis.call('HGET', nick, 'token'))
    write('ZREM', members, ARGV[at + ROOM_LEAVE.key])
    count = count - 1
    events[#events + 1] = ARGV[at + ROOM_LEAVE.event]
    return 'd'
  end

  OPS['n'] = function(at)
    if seat(key(at + REFUSED.nick)) ~= ARGV[at + REFUSED.session] then return 'g' end
    note_answer(ARGV[at + REFUSED.token], ARGV[at + REFUSED.tag], 'u')
    return 'd'
  end

  if find(letters, 'Q') then
    add_restraints(OPS, LOOKS, {
      clock = clock, key = key, note_answer = note_answer, seat = seat, events = events, log = keys.log, meta = keys.meta,
      is_restrained = meta[6] == '1',
      -- Whoever owns the room may do everything, moderators what moderators do; and only as accounts.
      may = function(at, name, action)
        local account = ARGV[at + MODERATE.account]
        if redis.call('HGET', rules, 'owner:' .. name) == account then return true end
        return not find(action, '^moderator') and action ~= 'outsiders'
          and redis.call('HGET', rules, 'moderator:' .. name) == account
      end,
      account_in = function(nick) return seat(nick) and redis.call('HGET', nick, 'account') end,
      evict = function(_, name, nick)
        end_seat(nick, redis.call('HGET', nick, 'token'))
        write('ZREM', members, name)
        count = count - 1
      end,
    })
  end

  local at = 10
  while at <= #ARGV do
    local look = LOOKS[ARGV[at]]
    if look then look(at) end
    at = at + length(ARGV[at])
  end
end

OPS['S'], OPS['U'] = OPS['s'], OPS['u']
local at, ends = 10, #ARGV
-- What comes after a command that was refused would not see what that one was to do.
while at <= ends and not rest do
  local op = ARGV[at]
  local outcome, note = OPS[op](at)
  if op == 'S' or op == 'U' then note_answer(ARGV[at + SAY_TAGGED.token], ARGV[at + SAY_TAGGED.tag], outcome) end
  result = result .. outcome
  if note then noted = noted .. note .. ',' end
  at = at + length(op)
end

if not meta[7] and #events > 0 and (is_talk or find(letters, '[sSuUM]')) then
  write('HSETNX', keys.meta, 'used', '1')
end
local first, its_value = next(known)
if first and next(known, first) then
  local answers = {}
  for token, value in pairs(known) do answers[#answers + 1], answers[#answers + 2] = token, value end
  write('HSET', tokens, unpack(answers))
elseif first then
  write('HSET', tokens, first, its_value)
end
if not is_talk and find(letters, '[yz]') then
  for _, token in ipairs(redis.pcall('ZRANGEBYSCORE', token_ends, '-inf', clock.now, 'LIMIT', 0, 100)) do
    write('HDEL', tokens, token)
    write('ZREM', token_ends, token)
  end
end
local entry, entered = 0, '0'
if #events > 0 then
  entry, entered = append(keys, meta, node, batch, clock, events, ARGV[6], ARGV[5] + 0, max_bytes + 0)
  offset = entry
else
  trim(keys, clock.now, tonumber(meta[3] or 0), ARGV[5] + 0, max_bytes + 0)
end
local counted = count < 0 and '-1' or count
write('HSET', batches, node, batch .. ' ' .. entered .. ' ' .. counted .. ' ' .. result .. ' ' .. noted)
return done({ 'ok', offset, entry, count, result, noted })
