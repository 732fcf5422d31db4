-- Take the relay of a webhook, keep it, or give it back: one process at a time relays it.
--
-- KEYS  1 the webhook
-- ARGV  1 who asks   2 for how long, milliseconds; 0: it gives the relay back
-- Returns {term, milliseconds, gone}
--   term          a number that grows each time that somebody takes the relay; 0: the asker has it not
--   milliseconds  until it is free, where somebody else has it
--   gone          which receiver wants nothing more, a digest; '': none said so
--
-- A lease that is longer than any can be was taken before Redis' clock was set back: it holds nobody off.

local clock, ms = read_clock(), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'holder', 'until', 'term', 'gone')
local left = tonumber(kept[2] or 0) - clock.now
local is_held = kept[1] and left > 0 and (ms == 0 or left <= ms)
local gone = kept[4] or ''
if ms == 0 then
  if kept[1] == ARGV[1] then write('HDEL', KEYS[1], 'holder', 'until') end
  return done({ 0, 0, gone })
end
if is_held and kept[1] ~= ARGV[1] then return done({ 0, left, gone }) end
local term = tonumber(kept[3] or 0)
if kept[1] ~= ARGV[1] or not is_held then term = term + 1 end
write('HSET', KEYS[1], 'holder', ARGV[1], 'until', string.format('%d', clock.now + ms),
  'term', string.format('%d', term))
return done({ term, 0, gone })
