-- Delete an account: its login, and what waits for it.
--
-- KEYS  1 meta   2 account   3 device   4 devices   5 pending   6 counts
-- ARGV  1 nickname, folded
-- Returns 1, or 0 where there is no such account; then nothing is done

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local waiting = redis.call('XLEN', KEYS[5])
write('HINCRBY', KEYS[1], 'pending', 0 - waiting)  -- the minus of -0 is no integer to Redis
write('DEL', KEYS[2], KEYS[3], KEYS[5], KEYS[6])
write('ZREM', KEYS[4], ARGV[1])
return done(1)
