-- Close the chat, as its administrator would: all nicknames are free, every session ends.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 order: see order.lua
--       7 order
-- ARGV  1 order   2 channel   3 most: see order.lua
--       4 event, JSON
-- Returns 'done <how many were in it>' or 'no-chat'

local answer = answered()
if answer then return answer end
local count = redis.call('ZCARD', KEYS[7])
write('UNLINK', KEYS[7])
write('HINCRBY', keys.meta, 'sitting', 1)
return carried_out('done ' .. count, { ARGV[4] })
