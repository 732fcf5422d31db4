-- Append an operator command and its events to the log: a notice to the room, or a command to nodes.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 '1' where a node has to be there to hear it   then events, JSON
-- Returns 'done', 'no-chat', or 'no-node' where no node is there to read it

local answer = answered()
if answer then return answer end
if ARGV[4] == '1' and #redis.call('ZRANGEBYSCORE', KEYS[4], clock.now, '+inf', 'LIMIT', 0, 1) == 0 then return 'no-node' end
local events = {}
for index = 5, #ARGV do table.insert(events, ARGV[index]) end
return carried_out('done', events)
