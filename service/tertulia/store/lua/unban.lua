-- End a ban.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 bans   8 their ends
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 name of the ban
-- Returns 'done', 'absent' where there is none (or it is over) or 'no-chat'

local answer = answered()
if answer then return answer end
local ends = redis.call('ZSCORE', KEYS[8], ARGV[4])
local was = redis.call('HGET', KEYS[7], ARGV[4])
write('ZREM', KEYS[8], ARGV[4])
write('HDEL', KEYS[7], ARGV[4])
if not was or ends and tonumber(ends) <= clock.now then return done('absent') end
return carried_out('done', {})
