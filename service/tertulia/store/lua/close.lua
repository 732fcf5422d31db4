-- Close the chat as its administrator can: all nicknames become free, and every session ends.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 members
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 event, JSON
-- Returns 'done <how many were in it>' or 'no-chat'

local answer = answered()
if answer then return answer end
local count = redis.call('ZCARD', KEYS[7])
write('UNLINK', KEYS[7])
write('HINCRBY', keys.meta, 'sitting', 1)
write('HSET', keys.meta, 'closed', string.format('%d', (meta[2] or 0) + 1))
return carried_out('done ' .. count, { ARGV[4] })
