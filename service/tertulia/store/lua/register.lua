-- Make a node known, with a lease, and tell it where the log is. A chat that Redis does not know begins.
--
-- KEYS  1 meta   2 leases   3 inboxes
-- ARGV  1 node   2 lease, ms   3 name for a new epoch   4 epoch known before, or ''   5 offset seen in it
-- Returns {'ok', epoch, base, offset, last number of its inbox}, or {'fenced'} where its lease is condemned

local clock = read_clock()
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'base', 'offset')
local epoch, base, offset = meta[1], tonumber(meta[2] or 0), tonumber(meta[3] or 0)
local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
if lease and tonumber(lease) == 0 then return { 'fenced' } end
if not epoch or (epoch == ARGV[4] and offset < tonumber(ARGV[5])) then
  epoch, base = ARGV[3], offset
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'base', base, 'offset', offset)
end
redis.call('ZADD', KEYS[2], clock.now + tonumber(ARGV[2]), ARGV[1])
return { 'ok', epoch, base, offset, tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0) }
