-- Find out which of some nicknames a node holds, and delete those that earlier generations of a chat left behind.
--
-- KEYS  1 meta   2 the node's nicks   then the nickname hashes
-- ARGV  1 node   then the nicknames, folded, in the order of KEYS
-- Returns for each nickname that it holds: the nickname, folded; the session; the nickname as shown

local generation = redis.call('HGET', KEYS[1], 'sitting') or '0'
local kept = {}
for index = 3, #KEYS do
  local was = redis.call('HMGET', KEYS[index], 'node', 'sitting', 'session', 'nickname')
  if was[1] == ARGV[1] and was[2] == generation then
    table.insert(kept, ARGV[index - 1])
    table.insert(kept, was[3])
    table.insert(kept, was[4])
  else
    if was[1] == ARGV[1] then write('DEL', KEYS[index]) end
    write('SREM', KEYS[2], ARGV[index - 1])
  end
end
return done(kept)
