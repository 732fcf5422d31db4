-- Renew a device's login, and note that its account is in use.
--
-- KEYS  1 device   2 devices   3 account
-- ARGV  1 nickname, folded   2 milliseconds for which it is good
-- Returns 1

local now = read_clock().now
note_use(KEYS[3], now)
write('PEXPIRE', KEYS[1], ARGV[2])
write('ZADD', KEYS[2], 'XX', string.format('%d', now + tonumber(ARGV[2])), ARGV[1])
return done(1)
