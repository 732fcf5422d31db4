-- Library of a further room's commit script, in front of all of it: it commits a batch in which members say something.
--
-- Nearly every batch is one, so this is written for speed: it makes no functions, and for one message no tables but the
-- reply. It reads first. Where anything is out of the ordinary it falls through (break) with nothing written, and the
-- script goes on as with any other batch, which leaves the same. KEYS, ARGV and what is returned: room_commit.lua.
--
-- Where a command is refused after others were carried out, talk is what room_commit.lua writes down: the reply that is
-- owed, the commands of this batch (false: none), and the place of the one from which on they are still to be done.

local talk

local letter = ARGV[9]
if letter == 'S' or letter == 's' then repeat
  local KEYS, ARGV, call = KEYS, ARGV, redis.call
  local meta_key, batches, tokens, unfinished = KEYS[1], KEYS[4], KEYS[6], KEYS[#KEYS]
  local node, batch = ARGV[1], ARGV[2]
  if call('EXISTS', unfinished) == 1 then break end
  local meta = call('HMGET', meta_key, 'epoch', 'offset', 'bytes', 'marked', 'marked_bytes', 'restrained', 'used')
  if meta[1] ~= ARGV[3] or meta[6] == '1' or not meta[7] then break end
  local saved, offset = call('HGET', batches, node), (meta[2] or 0) + 0
  if not saved then break end  -- it is condemned, or not registered
  local last = string.match(saved, '^%d+') + 0
  if offset < ARGV[4] + 0 or last < ARGV[7] + 0 or last >= batch + 0 then break end

  local ends, length = #ARGV, letter == 'S' and SAY_TAGGED.tag + 1 or SAY.event + 1  -- those are their last fields
  local events, known, nick, session, value, is_gone = nil
  local is_one, outcomes = ends == 9 + length, 'd'
  if not is_one then events, known = {}, {} end
  for at = 10, ends, length do
    local key = KEYS[ARGV[at + SAY.nick] + 0]
    if key ~= nick then nick, session = key, call('HGET', key, 'session') end
    if session ~= ARGV[at + SAY.session] then
      is_gone = true
      break
    end
    if letter == 'S' then
      local token = ARGV[at + SAY_TAGGED.token]
      value = known and known[token] or call('HGET', tokens, token) or '0 0 '
      local first, refused = string.match(value, '^(%S+ )%S+(.*)$')
      value = first .. ARGV[at + SAY_TAGGED.tag] .. refused
      if known then known[token] = value end
    end
    if events then events[#events + 1] = ARGV[at + SAY.event] end
  end
  if is_gone then break end
  if is_one then
    events = ARGV[10 + SAY.event]
  else
    events, outcomes = table.concat(events, '\n'), string.rep('d', #events)
  end

  local time = call('TIME')
  local micros = time[2]
  if #micros < 6 then micros = string.sub('00000' .. micros, -6) end
  local stamp = time[1] .. micros
  offset = offset + 1
  local at, by, bytes = string.format('%d', offset), node .. ' ' .. batch, (meta[3] or 0) + #events + 64
  local total, since = string.format('%d', bytes), stamp / 1000 - (meta[4] or 0)
  local is_due = since >= 1000 and since >= ARGV[5] / 256 or bytes - (meta[5] or 0) >= 1048576

  -- See whole.lua: if this raises, nothing is done; and who may do this may write down the rest.
  call('ZADD', unfinished, 'XX', '0', '')
  local put, type = redis.pcall, type
  -- If this is refused, nothing is done either. Or the log has come further than its meta says.
  if type(put('XADD', KEYS[2], at .. '-0', 'p', stamp, 'b', by, 'e', events)) ~= 'string' then break end

  local message = ARGV[6] ~= '' and '1 r ' .. meta[1] .. ' ' .. at .. ' ' .. stamp .. ' ' .. by .. '\n' .. events
  local kept = batch .. ' ' .. at .. ' -1 ' .. outcomes .. ' '
  local done = 0
  if is_one and not is_due then  -- the same as below, without tables
    local reply = value and put('HSET', tokens, ARGV[10 + SAY_TAGGED.token], value)
    if type(reply) ~= 'table' then done, reply = 1, put('HSET', meta_key, 'offset', at, 'bytes', total) end
    if type(reply) ~= 'table' then done, reply = 5, message and put('PUBLISH', ARGV[6], message) end
    if type(reply) ~= 'table' then done, reply = 6, put('HSET', batches, node, kept) end
    if type(reply) ~= 'table' then return offset end
  end

  local commands = {
    value and { 'HSET', tokens, ARGV[10 + SAY_TAGGED.token], value } or false,
    { 'HSET', meta_key, 'offset', at, 'bytes', total },
    false, false, false,
    message and { 'PUBLISH', ARGV[6], message },
    { 'HSET', batches, node, kept },
  }
  if value and known then
    local answers = { 'HSET', tokens }
    for token, its_value in pairs(known) do answers[#answers + 1], answers[#answers + 2] = token, its_value end
    commands[1] = answers
  end
  if is_due then  -- as append() and trim() do it
    local marks, ms, max_age, max_bytes = KEYS[3], string.sub(stamp, 1, -4), ARGV[5] + 0, string.match(ARGV[8], '^%d+') + 0
    commands[2] = { 'HSET', meta_key, 'offset', at, 'bytes', total, 'marked', ms, 'marked_bytes', total }
    commands[3] = { 'RPUSH', marks, at .. ' ' .. ms .. ' ' .. total }
    local floor, passed = nil, 0
    while passed < 8 do
      local mark = put('LINDEX', marks, passed)
      if type(mark) ~= 'string' then break end
      local first, published, its_bytes = string.match(mark, '^(%d+) (%d+) (%d+)$')
      if ms - published <= max_age and bytes - its_bytes <= max_bytes then break end
      floor, passed = first, passed + 1
    end
    if floor then
      commands[4] = { 'LTRIM', marks, passed, -1 }
      commands[5] = { 'XTRIM', KEYS[2], 'MINID', floor .. '-0' }
    end
  end
  for place = done + 1, #commands do
    local reply = commands[place] and put(unpack(commands[place]))
    if type(reply) == 'table' and reply.err then
      talk = { reply = { 'ok', offset, offset, -1, outcomes, '' }, commands = commands, from = place }
      break
    end
  end
  if not talk then return offset end
until true end
