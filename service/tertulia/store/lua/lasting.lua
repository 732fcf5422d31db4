-- Let a further room stay when nobody is in it and its log has aged out, or no longer. Keys of the chat.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 rooms   8 room-facts
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 room   5 '1' or '0'
-- Returns 'done', 'absent' where there is no such room, or 'no-chat'

local answer = answered()
if answer then return answer end
if not redis.call('ZSCORE', KEYS[7], ARGV[4]) then return 'absent' end
local field = 'lasting:' .. ARGV[4]
if ARGV[5] == '1' then write('HSET', KEYS[8], field, 1) else write('HDEL', KEYS[8], field) end
return carried_out('done', {})
