-- Note in a further room that a node is dead: its script takes nothing from it any more.
--
-- KEYS  1 condemned   2 batches
-- ARGV  1 node   2 milliseconds for which that is known
-- Returns 1

local now = read_clock().now
write('ZADD', KEYS[1], string.format('%d', now + tonumber(ARGV[2])), ARGV[1])
write('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
write('HDEL', KEYS[2], ARGV[1])
return done(1)
