-- Log out the devices that a ban covers.
--
-- KEYS  1 meta   2 devices   then the devices' hashes
-- ARGV  for each: its nickname, folded, and the address that it has to be logged in from, or ''
-- Returns how many were logged out

local covered = {}
for index = 3, #KEYS do
  local at = 2 * index - 5
  local address = redis.call('HGET', KEYS[index], 'address')
  if address and (ARGV[at + 1] == '' or ARGV[at + 1] == address) then table.insert(covered, { KEYS[index], ARGV[at] }) end
end
for _, it in ipairs(covered) do
  write('DEL', it[1])
  write('ZREM', KEYS[2], it[2])
end
return done(#covered)
