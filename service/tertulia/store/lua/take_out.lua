-- Remove the letters from a dead node's inbox that were reported to their senders.
--
-- KEYS  1 the node's inbox   2 the node's burial
-- ARGV  1 who buries it   2 number of the last letter that was reported   3 claim, ms
-- Returns 1, or 0 where the caller has lost its claim; then nothing is done
--
-- By number, as another node may have gone on with the same inbox, and removed as many already.

local now, ms = read_clock().now, tonumber(ARGV[3])
if claimant(KEYS[2], now, ms) ~= ARGV[1] then return 0 end
local head = redis.call('LINDEX', KEYS[1], 0)
claim(KEYS[2], ARGV[1], now, ms)
if head then
  local first, last = tonumber(string.match(head, '^%d+')), tonumber(ARGV[2])
  if first <= last then write('LTRIM', KEYS[1], last - first + 1, -1) end
end
return done(1)
