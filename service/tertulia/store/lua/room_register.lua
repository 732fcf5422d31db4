-- Register a node with a further room, and tell it where the log is. A room that Redis does not know begins here.
--
-- KEYS  1 meta   2 log   3 members   4 batches   5 condemned
-- ARGV  1 node   2 name for a new epoch   3 epoch known before, or ''   4 offset seen in it
--       5 the time in microseconds of the entry there, or ''
-- Returns {'ok', epoch, offset, base, the epoch before or '', members}, or {'fenced'} where the node is condemned

local clock = read_clock()
if redis.call('ZSCORE', KEYS[5], ARGV[1]) then return { 'fenced' } end
local it = find_epoch(KEYS[1], KEYS[2], ARGV[3], ARGV[4], ARGV[5])
local joined = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
-- So that the room is not forgotten while the node follows it.
write('HSETNX', KEYS[4], ARGV[1], '0')
go_on_in_epoch(it, ARGV[2], clock, joined)
return done({ 'ok', it.epoch, it.offset, it.base, it.before, redis.call('ZCARD', KEYS[3]) })
