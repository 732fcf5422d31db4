-- Publish what is in the log, once a replica is known to have it as well.
--
-- KEYS  1 meta   2 log
-- ARGV  1 epoch   2 offset up to which replicas have it   3 room channel
-- Returns the offset up to which it was told, or -1 where another epoch began meanwhile
--
-- Nodes that wait for replicas commit without publishing. The first node to know that a replica has the next
-- entries publishes all of them, also those of a node that died in between.

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'shown')
if meta[1] ~= ARGV[1] then return -1 end
local shown, upto = tonumber(meta[2] or 0), tonumber(ARGV[2])
if shown >= upto then return shown end
-- Bounded: who misses some reads the log. The latest are told, up to some bytes, and one at the least.
local MOST_ENTRIES, MOST_BYTES = 64, 524288
local entries, size = {}, 0
for offset = upto, math.max(shown + 1, upto - MOST_ENTRIES + 1), -1 do
  local found = redis.call('XRANGE', KEYS[2], offset .. '-0', offset .. '-0')[1]
  size = size + (found and #found[2][6] or 0)
  if #entries > 0 and size > MOST_BYTES then break end
  table.insert(entries, 1, found)
end
write('HSET', KEYS[1], 'shown', upto)
for _, found in ipairs(entries) do
  local offset, fields = string.match(found[1], '^%d+'), found[2]
  write('PUBLISH', ARGV[3], room_message(meta[1], offset, fields[2], fields[4], fields[6]))
end
return done(upto)
