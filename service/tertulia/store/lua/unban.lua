-- End a ban.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 order: see order.lua
--       7 bans   8 their ends
-- ARGV  1 order   2 channel   3 most: see order.lua
--       4 name of the ban
-- Returns 'done', 'absent' where there is none (or it is over) or 'no-chat'

local answer = answered()
if answer then return answer end
local ends = redis.call('ZSCORE', KEYS[8], ARGV[4])
redis.call('ZREM', KEYS[8], ARGV[4])
if redis.call('HDEL', KEYS[7], ARGV[4]) == 0 then return 'absent' end
if ends and tonumber(ends) <= clock.now then return 'absent' end
return carried_out('done', {})
