-- Register a node, give it a lease, and tell it where the log is. A chat that Redis does not know begins here.
--
-- KEYS  1 meta   2 leases   3 inboxes   4 log   5 members
--       6 nicks   7 inbox   8 waiting devices of the registration before
-- ARGV  1 node   2 lease, ms   3 name for a new epoch   4 epoch known before, or ''   5 offset seen in it
--       6 the time in microseconds of the entry there, or ''
--       7 its id before it was fenced, or ''
-- Returns {'ok', epoch, base, offset, last number of its inbox, the epoch before or ''}, or {'fenced'} where
-- its lease is condemned

local clock = read_clock()
local it = find_epoch(KEYS[1], KEYS[4], ARGV[4], ARGV[5], ARGV[6])
local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
if lease and tonumber(lease) == 0 then return { 'fenced' } end
local letters = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
local joined = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')[2]
local is_left = ARGV[7] ~= '' and redis.call('EXISTS', KEYS[6], KEYS[7], KEYS[8]) > 0

write('ZADD', KEYS[2], renewed(tonumber(lease or 0), clock.now, tonumber(ARGV[2])), ARGV[1])
go_on_in_epoch(it, ARGV[3], clock, joined)
-- The registration before may have lost its lease with Redis' data: nobody would know that it is to be buried.
if is_left then write('ZADD', KEYS[2], 'NX', 0, ARGV[7]) end
return done({ 'ok', it.epoch, it.base, it.offset, letters, it.before })
