-- Write members of the room down again after Redis lost data, or came back with an older state.
--
-- KEYS  1 meta   2 log   3 marks   4 order   5 leases   then for each member its nickname hash and its
--       node's nicks
-- ARGV  1 node that writes   2 epoch   3 lease, ms   4 log age, ms   5 log bytes   6 room channel
--       7 offset up to which the writer has read the log
--       then for each member, oldest first: key, session, node, nickname, dialect, event or ''; only its own
--       node gives an event
-- Returns one of
--   {'ok'}
--   {'behind'}   somebody has come or gone since the writer has read, or has taken one of these nicknames: it
--                is to read on, and ask again
--   {'epoch'}    another epoch began meanwhile
--   {'fenced'}   the writer's lease is gone or condemned
-- Where it is not 'ok', nothing was done.
--
-- The writer has read all that this epoch has. So what it knows counts for more than what an older state has:
-- there the nickname may be held by a session that is long gone. A node that is not known is given a lease as
-- well: if it does not come back, it is buried like any other, and its people are announced as gone.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local order, leases = KEYS[4], KEYS[5]
local meta = read_meta(keys.meta)
local offset, generation = tonumber(meta[2] or 0), meta[3] or '0'
if meta[1] ~= ARGV[2] then return { 'epoch' } end
if tonumber(redis.call('ZSCORE', leases, ARGV[1]) or 0) == 0 then return { 'fenced' } end

-- Entries, and bytes, that are looked through here, so that a room that talks holds up nobody.
local MOST_UNREAD, MOST_BYTES = 16, 524288
-- Return the events that the writer has not read, or nil where somebody has come or gone in them.
local function unread(seen)
  if offset == seen then return '' end
  if offset < seen or offset - seen > MOST_UNREAD then return nil end
  local all, size = {}, 0
  for number = seen + 1, offset do
    local name = string.format('%d-0', number)
    local entry = redis.call('XRANGE', keys.log, name, name)[1]
    if not entry or size > MOST_BYTES then return nil end
    table.insert(all, entry[2][6] or '')
    size = size + #all[#all]
  end
  all = table.concat(all)
  for _, kind in ipairs({ 'joined', 'left', 'closed' }) do
    if string.find(all, '"t":"' .. kind .. '"', 1, true) then return nil end
  end
  return all
end
local news = unread(tonumber(ARGV[7]))
if not news then return { 'behind' } end

local clock = read_clock()
local joins = tonumber(redis.call('HGET', keys.meta, 'joins') or 0)
local events, missing = {}, {}
local at, index = 8, 6
while at <= #ARGV do
  local hash, own = KEYS[index], ARGV[at + 5]
  local holder = held(hash, generation)
  if holder ~= ARGV[at + 1] then
    -- Another one that has just been found to be present is there indeed.
    if holder and string.find(news, '"s":"' .. holder .. '"', 1, true) then return { 'behind' } end
    table.insert(missing, { at = at, hash = hash, nicks = KEYS[index + 1] })
    if holder and own ~= '' then
      table.insert(events, left_event(redis.call('HGET', hash, 'nickname'), holder))
    end
  end
  if own ~= '' then table.insert(events, own) end
  at, index = at + 6, index + 2
end
if #events > 0 then
  append(keys, meta, ARGV[1], 0, clock, events, ARGV[6], tonumber(ARGV[4]), tonumber(ARGV[5]))
end
for _, it in ipairs(missing) do
  local key, session, node = ARGV[it.at], ARGV[it.at + 1], ARGV[it.at + 2]
  joins = joins + 1
  write('HINCRBY', keys.meta, 'joins', 1)
  write('ZADD', leases, 'NX', clock.now + tonumber(ARGV[3]), node)
  write('ZADD', order, joins, key)
  write('SADD', it.nicks, key)
  write('DEL', it.hash)
  write('HSET', it.hash, 'session', session, 'node', node, 'sitting', generation, 'nickname', ARGV[it.at + 3],
    'dialect', ARGV[it.at + 4], 'since', clock.ms)
end
return done({ 'ok' })
