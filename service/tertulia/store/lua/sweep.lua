-- Delete what is left of earlier sittings of a chat among some of a node's nicknames.
--
-- KEYS  1 meta   2 the node's nicks   then the nickname hashes
-- ARGV  1 node   then the nicknames, folded, in the order of KEYS
-- Returns how many were deleted

local sitting = redis.call('HGET', KEYS[1], 'sitting') or '0'
local deleted = 0
for index = 3, #KEYS do
  local was = redis.call('HMGET', KEYS[index], 'node', 'sitting')
  if was[1] == ARGV[1] and was[2] ~= sitting then
    write('DEL', KEYS[index])
    deleted = deleted + 1
  end
  if was[1] ~= ARGV[1] or was[2] ~= sitting then write('SREM', KEYS[2], ARGV[index - 1]) end
end
return done(deleted)
