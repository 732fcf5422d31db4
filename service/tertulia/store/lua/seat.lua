-- Write members of the room down again after Redis lost data: what is there stays, what is missing comes.
--
-- KEYS  1 meta   2 log   3 marks   4 order   5 leases   then for each member its nickname hash and its
--       node's nicks
-- ARGV  1 node that writes   2 epoch   3 lease, ms   4 log age, ms   5 log bytes   6 room channel
--       then for each member, oldest first: key, session, node, nickname, dialect, event or ''
-- Returns {'ok'}, or {'epoch'} where another epoch began meanwhile; then nothing was done
--
-- A node that is not known is given a lease as well: if it does not come back, it is buried like any other.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local order, leases = KEYS[4], KEYS[5]
local meta = read_meta(keys.meta)
local sitting = meta[3] or '0'
if meta[1] ~= ARGV[2] then return { 'epoch' } end
local clock = read_clock()
local joins = redis.call('HGET', keys.meta, 'joins') or 0
local sessions = {}
for index = 6, #KEYS, 2 do sessions[index] = held(KEYS[index], sitting) end
local events = {}
local at, index = 7, 6
while at <= #ARGV do
  local key, session, node = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local hash, nicks = KEYS[index], KEYS[index + 1]
  if not sessions[index] then
    sessions[index] = session
    joins = joins + 1
    write('ZADD', leases, 'NX', clock.now + tonumber(ARGV[3]), node)
    write('HINCRBY', keys.meta, 'joins', 1)
    write('DEL', hash)
    write('HSET', hash, 'session', session, 'node', node, 'sitting', sitting, 'nickname', ARGV[at + 3],
      'dialect', ARGV[at + 4], 'since', clock.ms)
    write('ZADD', order, joins, key)
    write('SADD', nicks, key)
  end
  if ARGV[at + 5] ~= '' and sessions[index] == session then
    table.insert(events, ARGV[at + 5])
  end
  at, index = at + 6, index + 2
end
if #events > 0 then
  append(keys, meta, ARGV[1], 0, clock, events, ARGV[6], tonumber(ARGV[4]), tonumber(ARGV[5]))
end
return done({ 'ok' })
