-- Library, put in front of the scripts that append to a room's log. No KEYS of its own.
--
-- append(keys, epoch, offset, node, batch, now, lines, room, max_age, max_bytes) -> offset
--   keys.meta  hash: epoch, base, before (the epoch before it), offset, shown, joins, sitting,
--              bytes (so far), marked (milliseconds, when last), marked_bytes (so far, then)
--   keys.log   stream: one entry a batch, its ID <offset>-0, fields
--                p  published, microseconds by Redis' clock
--                b  <node> <batch>, who committed it
--                e  the events, one JSON object a line
--   keys.marks list: "<offset> <milliseconds> <bytes so far>", one a second or a mebibyte: where the log
--              may be cut without looking into it
--   room       channel of the room, told the same entry once; '': told later, by show.lua
--
-- The bus format, which stands in docs/architecture.md:
--   1 r <epoch> <offset> <published> <node> <batch> LF events, one a line
--   1 i <epoch> LF letters, one a line: <number> <session> <ms> <JSON>
--   1 p <epoch> <offset>, a node's probe of its own channel

local function trim(keys, now, total, max_age, max_bytes)
  local floor = nil
  for _ = 1, 8 do  -- bounded: what is left is cut at the next mark
    local mark = redis.call('LINDEX', keys.marks, 0)
    if not mark then break end
    local offset, published, bytes = string.match(mark, '^(%d+) (%d+) (%d+)$')
    if now - tonumber(published) <= max_age and total - tonumber(bytes) <= max_bytes then break end
    floor = offset
    redis.call('LPOP', keys.marks)
  end
  if floor then redis.call('XTRIM', keys.log, 'MINID', floor .. '-0') end
end

-- Redis came back with an older state. Its log goes on under another name, so that nobody takes new
-- entries for old ones; up to its base it is that of the epoch before.
local function begin_epoch(meta, name, before, offset)
  redis.call('HSET', meta, 'epoch', name, 'base', offset, 'before', before, 'offset', offset, 'shown', offset)
end

local function room_message(epoch, offset, stamp, batch, events)
  return '1 r ' .. epoch .. ' ' .. offset .. ' ' .. stamp .. ' ' .. batch .. '\n' .. events
end

local function append(keys, epoch, offset, node, batch, clock, lines, room, max_age, max_bytes)
  offset = offset + 1
  local events, at = table.concat(lines, '\n'), string.format('%d', offset)
  local by = node .. ' ' .. batch
  local meta = redis.call('HMGET', keys.meta, 'bytes', 'marked', 'marked_bytes')
  local bytes = tonumber(meta[1] or 0) + #events + 64
  redis.call('XADD', keys.log, at .. '-0', 'p', clock.stamp, 'b', by, 'e', events)
  if clock.now - tonumber(meta[2] or 0) >= 1000 or bytes - tonumber(meta[3] or 0) >= 1048576 then
    local total = string.format('%d', bytes)
    redis.call('HSET', keys.meta, 'offset', at, 'bytes', total, 'marked', clock.ms, 'marked_bytes', total)
    redis.call('RPUSH', keys.marks, at .. ' ' .. clock.ms .. ' ' .. total)
    trim(keys, clock.now, bytes, max_age, max_bytes)
  else
    redis.call('HSET', keys.meta, 'offset', at, 'bytes', string.format('%d', bytes))
  end
  if room ~= '' then
    redis.call('PUBLISH', room, room_message(epoch, at, clock.stamp, by, events))
  end
  return offset
end

-- A chat that is closed begins anew: the nicknames of an earlier sitting are free, wherever their hashes
-- still are. (Deleting all of them at once would block Redis.)
local function held(key, sitting)
  local hash = redis.call('HMGET', key, 'session', 'node', 'sitting')
  if hash[1] and hash[3] == sitting then return hash[1], hash[2] end
  return false, false
end

-- Nicknames and session names are plain ASCII without quotes, so this is JSON.
local function left_event(nickname, session)
  return '{"t":"left","n":"' .. nickname .. '","s":"' .. session .. '"}'
end

-- Numbers past 10^14 lose digits when Lua writes them, so microseconds stay text. And Lua writes numbers
-- slowly: what is needed as text is made text once.
local function read_clock()
  local time = redis.call('TIME')
  local stamp = time[1] .. string.sub('00000' .. time[2], -6)
  local ms = string.sub(stamp, 1, -4)
  return { now = tonumber(ms), ms = ms, stamp = stamp }
end
