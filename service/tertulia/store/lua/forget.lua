-- End a node's registration: by the node itself when it stops, or by another one when the burial is over.
--
-- KEYS  1 leases   2 batches   3 inboxes   4 the node's nicks   5 the node's inbox   6 its waiting devices
--       7 the node's burial   8 what it said of itself
-- ARGV  1 node
-- Returns 1, or 0 where nicknames, private messages or waiting devices are left; then nothing is done

if redis.call('EXISTS', KEYS[4], KEYS[5], KEYS[6]) > 0 then return 0 end
write('ZREM', KEYS[1], ARGV[1])
write('HDEL', KEYS[2], ARGV[1])
write('HDEL', KEYS[3], ARGV[1])
write('DEL', KEYS[7], KEYS[8])
return done(1)
