-- Tell the room what its log has, once that is known to be on a replica as well.
--
-- KEYS  1 meta   2 log
-- ARGV  1 epoch   2 offset up to which replicas have it   3 room channel
-- Returns the offset up to which it was told, or -1 where another epoch began meanwhile
--
-- Nodes that want replicas to have what they show commit without publishing. Whoever knows of the next
-- entries that a replica has them, publishes them all: also those of a node that died in between.

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'shown')
if meta[1] ~= ARGV[1] then return -1 end
local shown, upto = tonumber(meta[2] or 0), tonumber(ARGV[2])
if shown >= upto then return shown end
-- Bounded: who misses some reads the log.
local first = math.max(shown + 1, upto - 63)
local entries = redis.call('XRANGE', KEYS[2], first .. '-0', upto .. '-0')
write('HSET', KEYS[1], 'shown', upto)
for _, found in ipairs(entries) do
  local offset, fields = string.match(found[1], '^%d+'), found[2]
  write('PUBLISH', ARGV[3], room_message(meta[1], offset, fields[2], fields[4], fields[6]))
end
return done(upto)
