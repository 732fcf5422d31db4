-- Delete an account: its login, and what waits for it.
--
-- KEYS  1 meta   2 account   3 device   4 devices   5 pending   6 counts   7 nickname hash, with ARGV 2
-- ARGV  1 nickname, folded   2 only if it was not used for so many milliseconds, nor is anybody connected as it
-- Returns 1, or 0 where there is no such account, or it is in use; then nothing is done

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if ARGV[2] then
  local since, used = unpack(redis.call('HMGET', KEYS[2], 'since', 'used'))
  local is_here = redis.call('EXISTS', KEYS[3]) == 1
    or held(KEYS[7], redis.call('HGET', KEYS[1], 'sitting') or '0')
  if is_here or read_clock().now - tonumber(used or since or 0) < tonumber(ARGV[2]) then return 0 end
end
local waiting = redis.call('XLEN', KEYS[5])
write('HINCRBY', KEYS[1], 'pending', 0 - waiting)  -- the minus of -0 is no integer to Redis
write('DEL', KEYS[2], KEYS[3], KEYS[5], KEYS[6])
write('ZREM', KEYS[4], ARGV[1])
return done(1)
