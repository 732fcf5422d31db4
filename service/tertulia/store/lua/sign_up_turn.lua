-- Say when an account may be made from a network, and take that turn.
--
-- KEYS  1 the network's turns: when the last of those that were taken has come back, milliseconds; expires then
-- ARGV  1 turns that there are at once   2 milliseconds after which one comes back   3 1 to take one, 0 to look
-- Returns the milliseconds until there is one; 0: now, and where it was to be taken it is

local most, each = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = read_clock().now
local back = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
back = math.min(back, now + most * each)  -- the clock may have been set back
local wait = back + each - (now + most * each)
if wait > 0 then return wait end
if ARGV[3] == '1' then
  write('SET', KEYS[1], string.format('%d', back + each), 'PX', string.format('%d', back + each - now))
end
return done(0)
