-- Write members of the room down again after Redis lost data, or came back with an older state.
--
-- KEYS  1 meta   2 log   3 marks   4 members   5 leases   then for each member its nickname hash and its
--       node's nicks
-- ARGV  1 node that writes   2 epoch   3 lease, ms   4 log age, ms   5 log bytes   6 room channel
--       7 offset up to which the writer has read the log
--       then for each member, oldest first: key, session, node, nickname, dialect, proven, away, about, event or '';
--       only its own node gives an event
-- Returns one of
--   {'ok'}
--   {'behind'}   somebody has come or gone since the writer read the log, or has taken one of these nicknames:
--                it has to read on, and ask again
--   {'epoch'}    another epoch began meanwhile
--   {'fenced'}   the writer's lease is gone or condemned
-- Unless it is 'ok', nothing was done.
--
-- The writer has read the whole epoch. So it knows better than an older state, in which a session that is long
-- gone may hold the nickname. A node that is not known gets a lease as well: if it does not come back, others bury
-- it, and announce that its people have gone.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local members, leases = KEYS[4], KEYS[5]
local meta = read_meta(keys.meta, 'sitting')
local offset, generation = tonumber(meta[2] or 0), meta[7] or '0'
if meta[1] ~= ARGV[2] then return { 'epoch' } end
if tonumber(redis.call('ZSCORE', leases, ARGV[1]) or 0) == 0 then return { 'fenced' } end

local news = unread(keys.log, offset, tonumber(ARGV[7]))
if not news then return { 'behind' } end

local clock = read_clock()
local joins = tonumber(redis.call('HGET', keys.meta, 'joins') or 0)
local events, missing, changed = {}, {}, {}
local at, index = 8, 6
while at <= #ARGV do
  local hash, own = KEYS[index], ARGV[at + 8]
  local holder = held(hash, generation)
  if holder ~= ARGV[at + 1] then
    -- Another one that has just been found to be present is there indeed.
    if holder and string.find(news, '"s":"' .. holder .. '"', 1, true) then return { 'behind' } end
    table.insert(missing, { at = at, hash = hash, nicks = KEYS[index + 1] })
    if holder and own ~= '' then
      table.insert(events, left_event(redis.call('HGET', hash, 'nickname'), holder))
    end
  elseif own ~= '' then
    local was = redis.call('HMGET', hash, 'proven', 'away', 'about')
    if was[1] ~= ARGV[at + 5] or was[2] ~= ARGV[at + 6] or was[3] ~= ARGV[at + 7] then
      table.insert(changed, { at = at, hash = hash })
    end
  end
  if own ~= '' then table.insert(events, own) end
  at, index = at + 9, index + 2
end
if #events > 0 then
  append(keys, meta, ARGV[1], 0, clock, events, ARGV[6], tonumber(ARGV[4]), tonumber(ARGV[5]))
end
for _, it in ipairs(missing) do
  local key, session, node = ARGV[it.at], ARGV[it.at + 1], ARGV[it.at + 2]
  joins = joins + 1
  write('HINCRBY', keys.meta, 'joins', 1)
  write('ZADD', leases, 'NX', clock.now + tonumber(ARGV[3]), node)
  write('ZADD', members, joins, key)
  write('SADD', it.nicks, key)
  write('DEL', it.hash)
  write('HSET', it.hash, 'session', session, 'node', node, 'sitting', generation, 'nickname', ARGV[it.at + 3],
    'dialect', ARGV[it.at + 4], 'since', clock.ms, 'proven', ARGV[it.at + 5], 'away', ARGV[it.at + 6],
    'about', ARGV[it.at + 7])
end
for _, it in ipairs(changed) do
  write('HSET', it.hash, 'proven', ARGV[it.at + 5], 'away', ARGV[it.at + 6], 'about', ARGV[it.at + 7])
end
return done({ 'ok' })
