-- Take a node's lease away for good, unless the node has renewed it since it was judged dead.
--
-- KEYS  1 leases   2 the node's burial
-- ARGV  1 node   2 its lease's expiry when it was judged   3 who buries it   4 claim, ms
-- Returns 1 where the caller is to bury the node now, 0 where it is not
--
-- A condemned lease has the expiry 0 until the burial is over: the node that buries may die as well. Then
-- another one goes on when the claim has expired.

local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expiry or tonumber(expiry) ~= tonumber(ARGV[2]) then return 0 end
local now, ms = read_clock().now, tonumber(ARGV[4])
if (claimant(KEYS[2], now, ms) or ARGV[3]) ~= ARGV[3] then return 0 end
write('ZADD', KEYS[1], 0, ARGV[1])
claim(KEYS[2], ARGV[3], now, ms)
return done(1)
