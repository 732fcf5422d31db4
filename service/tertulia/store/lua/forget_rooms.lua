-- Take further rooms that were looked at out of a chat's list, or put them back for later.
--
-- KEYS  1 rooms   2 room-sizes   3 room-facts
-- ARGV  then for each room: its name, when it was to be looked at, milliseconds until the next look or 0
-- Returns how many were taken out
--
-- A room that was opened since has another time, and stays.

local now, count = read_clock().now, 0
for index = 1, #ARGV, 3 do
  local room, wait = ARGV[index], tonumber(ARGV[index + 2])
  if redis.call('ZSCORE', KEYS[1], room) == ARGV[index + 1] then
    if wait > 0 then
      write('ZADD', KEYS[1], string.format('%d', now + wait), room)
    else
      write('ZREM', KEYS[1], room)
      write('ZREM', KEYS[2], room)
      write('HDEL', KEYS[3], 'topic:' .. room)
      count = count + 1
    end
  end
end
return done(count)
