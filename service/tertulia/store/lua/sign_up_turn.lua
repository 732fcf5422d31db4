-- Say when a network may make an account, and take that turn.
--
-- KEYS  1 the network's turns: when the last of those that were taken has come back, milliseconds; expires then
-- ARGV  1 turns that there are at once   2 milliseconds after which one comes back   3 1 to take one, 0 to look
-- Returns the milliseconds until there is a turn; 0: there is one now, and it was taken if that was asked

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
