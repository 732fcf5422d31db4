-- Tell the room or the nodes something.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 order: see order.lua
-- ARGV  1 order   2 channel   3 most: see order.lua
--       4 '1' where a node has to be there to hear it   then events, JSON
-- Returns 'done', 'no-chat', or 'no-node' where nobody would hear of it

local answer = answered()
if answer then return answer end
if ARGV[4] == '1' and #redis.call('ZRANGEBYSCORE', KEYS[4], clock.now, '+inf', 'LIMIT', 0, 1) == 0 then return 'no-node' end
local events = {}
for index = 5, #ARGV do table.insert(events, ARGV[index]) end
return carried_out('done', events)
