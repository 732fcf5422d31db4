-- Set devices offchat: their waiting connections ended with their node.
--
-- KEYS  1 the dead node's waiting devices   then the devices' hashes
-- ARGV  1 the dead node   then the names, folded, in the order of KEYS
-- Returns how many are left

for index = 2, #KEYS do
  local was = redis.call('HMGET', KEYS[index], 'node', 'summoned')
  if was[1] == ARGV[1] or was[2] == ARGV[1] then
    write('HDEL', KEYS[index], 'onchat', 'node', 'session', 'summoned')
  end
  write('SREM', KEYS[1], ARGV[index])
end
return done(redis.call('SCARD', KEYS[1]))
