-- Replace a stream by its changed copy.
--
-- KEYS  1 the stream   2 its copy   3 where the old one goes
-- ARGV  1 the ID up to which it was copied   2 most entries that may have come since: this script copies them
-- Returns 'done', 'behind' where more have come, or 'absent' where there is no copy; then nothing is done

if redis.call('EXISTS', KEYS[2]) == 0 then return 'absent' end
local since = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2] + 1)
if #since > tonumber(ARGV[2]) then return 'behind' end
for _, entry in ipairs(since) do write('XADD', KEYS[2], entry[1], unpack(entry[2])) end
write('RENAME', KEYS[1], KEYS[3])
write('RENAME', KEYS[2], KEYS[1])
return done('done')
