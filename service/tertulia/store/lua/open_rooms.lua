-- Note that a node follows some further rooms, before it takes a seat in any of them; count the rooms.
--
-- KEYS  1 rooms   2 room-nodes   3 the node's rooms   4 leases
-- ARGV  1 node   2 '1' where the node itself asks, for which it needs its lease   3 rooms, at most
--       4 milliseconds after which to look whether they are to be forgotten
--       5… for each room its name, and '1' where it is to be made
-- Returns {'ok', for each room 1, or 0 where there is no such room or there are too many}, or {'fenced'}
--
--   {chat}:rooms          zset: room → when to look whether it is to be forgotten, ms
--   {chat}:room-nodes     set: nodes that follow rooms, or did until they died
--   {chat}:node:ID:rooms  set: the rooms in which a node may have members, for whoever has to bury it

if ARGV[2] == '1' and tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1]) or 0) == 0 then return { 'fenced' } end
local clock = read_clock()
local look_at = string.format('%d', clock.now + tonumber(ARGV[4]))
local count, told, known = redis.call('ZCARD', KEYS[1]), { 'ok' }, {}
for index = 5, #ARGV, 2 do
  local room = ARGV[index]
  known[room] = redis.call('ZSCORE', KEYS[1], room) ~= false
end
local is_any = false
for index = 5, #ARGV, 2 do
  local room = ARGV[index]
  if not known[room] and ARGV[index + 1] == '1' and count < tonumber(ARGV[3]) then
    known[room], count = true, count + 1
  end
  if known[room] then
    is_any = true
    write('ZADD', KEYS[1], look_at, room)
    write('SADD', KEYS[3], room)
  end
  told[#told + 1] = known[room] and 1 or 0
end
if is_any then write('SADD', KEYS[2], ARGV[1]) end
return done(told)
