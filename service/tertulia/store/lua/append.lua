-- Library, put in front of the scripts that append to a room's log. No KEYS of its own.
--
-- Lua writes and reads numbers slowly: what is needed as text is made text once, and what Redis gave as text is a number
-- by what is done with it (`text + 0`), which takes a third of what tonumber(text) does.
--
-- append(keys, meta, node, batch, clock, lines, room, max_age, max_bytes) -> offset, the same as text
--   keys.meta  hash: epoch, base, before (the epoch before it), offset, shown, joins, generation,
--              bytes (so far), marked (milliseconds, when last), marked_bytes (so far, then)
--   keys.log   stream: one entry a batch, its ID <offset>-0, fields
--                p  published, microseconds by Redis' clock
--                b  <node> <batch>, who committed it
--                e  the events, one JSON object a line
--   keys.marks list: "<offset> <milliseconds> <bytes so far>", one for each 256th of the log's age, or second if that is
--              longer, or mebibyte: places at which the log may be cut without reading it
--   meta       what keys.meta holds: see read_meta()
--   room       channel of the room, told the same entry once; '': told later, by show.lua
--
-- The bus format, which stands in docs/architecture.md:
--   1 r <epoch> <offset> <published> <node> <batch> LF events, one a line
--   1 i <epoch> LF letters, one a line: <number> <session> <ms> <JSON>
--   1 p <epoch> <offset>, a node's probe of its own channel

-- end_tokens(ended, meta): end all tokens that were given for a nickname until now. Both are keys.

local function end_tokens(ended, meta)
  write('HSET', ended, 'joins', redis.call('HGET', meta, 'joins') or 0)
  write('PEXPIRE', ended, 3960000)  -- longer than a token is known that was renewed just now: renewing.py
end

-- Returns {epoch, offset, bytes, marked, marked_bytes, restrained}, each as text, or false where it is not there; then
-- further fields that are named.
local function read_meta(key, ...)
  return redis.call('HMGET', key, 'epoch', 'offset', 'bytes', 'marked', 'marked_bytes', 'restrained', ...)
end

local function trim(keys, now, total, max_age, max_bytes)
  local floor, passed = nil, 0
  while passed < 8 do  -- bounded: what is left is cut at the next mark
    local mark = redis.pcall('LINDEX', keys.marks, passed)
    if type(mark) ~= 'string' then break end  -- none is left; or that was refused, and can wait
    local offset, published, bytes = string.match(mark, '^(%d+) (%d+) (%d+)$')
    if now - tonumber(published) <= max_age and total - tonumber(bytes) <= max_bytes then break end
    floor, passed = offset, passed + 1
  end
  if floor then
    write('LTRIM', keys.marks, passed, -1)
    write('XTRIM', keys.log, 'MINID', floor .. '-0')
  end
end

-- Redis came back with an older state. Its log goes on under another name, so that nobody takes new
-- entries for old ones; up to its base it is that of the epoch before. Numbers of joins that were given may be lost:
-- they go on behind all that can have been given by now.
local function begin_epoch(meta, name, before, offset, clock)
  local joins = math.max(tonumber(redis.pcall('HGET', meta, 'joins')) or 0, clock.now)
  write('HSET', meta, 'epoch', name, 'base', offset, 'before', before, 'offset', offset, 'shown', offset, 'joins',
    string.format('%d', joins))
end

local function room_message(epoch, offset, stamp, batch, events)
  return '1 r ' .. epoch .. ' ' .. offset .. ' ' .. stamp .. ' ' .. batch .. '\n' .. events
end

-- Add an entry to the log, and return its offset, also as text. The log may have come further than its meta says: meta alone
-- was lost or is older, or a script of an earlier version was refused between the two. Then an epoch begins
-- behind all that is there, for nobody knows whether it was told.
local function add_entry(keys, meta, clock, ...)
  local offset = (meta[2] or 0) + 1
  local at = string.format('%d', offset)
  if not begun then write('ZADD', UNFINISHED, 'XX', '0', '') end
  for step = 0, 52 do
    local reply = rest or redis.pcall('XADD', keys.log, at .. '-0', ...)
    if type(reply) == 'string' then return offset, at end
    if not string.find(reply.err or '', 'equal or smaller', 1, true) then break end
    local last = redis.pcall('XREVRANGE', keys.log, '+', '-', 'COUNT', 1)[1]
    local passed = last and tonumber(string.match(last[1], '^%d+')) or 0
    offset = math.max(offset - 1, passed) + 2 ^ step
    at = string.format('%d', offset)
    meta[1] = clock.stamp
    begin_epoch(keys.meta, meta[1], '', string.format('%d', offset - 1), clock)
  end
  write('XADD', keys.log, at .. '-0', ...)
  return offset, at
end

-- room_talk.lua has a copy without functions: test_room_commit.py holds it to leave the same.
local function append(keys, meta, node, batch, clock, lines, room, max_age, max_bytes)
  local events, by = #lines == 1 and lines[1] or table.concat(lines, '\n'), node .. ' ' .. batch
  local offset, at = add_entry(keys, meta, clock, 'p', clock.stamp, 'b', by, 'e', events)
  local bytes = (meta[3] or 0) + #events + 64
  local total = string.format('%d', bytes)
  if clock.now - (meta[4] or 0) >= math.max(1000, max_age / 256)
    or bytes - (meta[5] or 0) >= 1048576 then
    write('HSET', keys.meta, 'offset', at, 'bytes', total, 'marked', clock.ms, 'marked_bytes', total)
    write('RPUSH', keys.marks, at .. ' ' .. clock.ms .. ' ' .. total)
    trim(keys, clock.now, bytes, max_age, max_bytes)
  else
    write('HSET', keys.meta, 'offset', at, 'bytes', total)
  end
  if room ~= '' then
    write('PUBLISH', room, room_message(meta[1], at, clock.stamp, by, events))
  end
  return offset, at
end

-- A chat that is closed begins anew: the nicknames of an earlier generation are free, wherever their hashes
-- still are. (Deleting all of them at once would block Redis.)
local function held(key, generation)
  local hash = redis.call('HMGET', key, 'session', 'node', 'sitting')
  if hash[1] and hash[3] == generation then return hash[1], hash[2] end
  return false, false
end

-- Nicknames and session names are plain ASCII without quotes, so this is JSON.
local function left_event(nickname, session)
  return '{"t":"left","n":"' .. nickname .. '","s":"' .. session .. '"}'
end

-- Numbers past 10^14 lose digits when Lua writes them, so microseconds stay text.
local function read_clock()
  local time = redis.call('TIME')
  local micros = time[2]
  if #micros < 6 then micros = string.sub('00000' .. micros, -6) end
  local stamp = time[1] .. micros
  local ms = string.sub(stamp, 1, -4)
  return { now = ms + 0, ms = ms, stamp = stamp }
end
