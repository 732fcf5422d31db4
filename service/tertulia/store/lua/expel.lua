-- Take a nickname away from whoever has it: from a session in the room, from a device that is logged in.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 members   8 nickname hash   9 device hash   10 devices
--       11 ended   12 the nicks of the node that holds the nickname, if there is one
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 nickname, folded   5 that node, or ''   6 event that says who was kicked, JSON
-- Returns 'done <1: was in the room> <1: was logged in from a device>', 'absent' where it was neither,
-- 'moved' where another node holds the nickname than ARGV says (then nothing is done), or 'no-chat'
--
--   {chat}:ended:NICK  hash: joins, as many as there had been when all tokens of the nickname ended; expires
--                      when the last of them is over

local answer = answered()
if answer then return answer end
local session, node = held(KEYS[8], meta[7] or '0')
if (node or '') ~= ARGV[5] then return 'moved' end
local is_logged_in = redis.call('EXISTS', KEYS[9])
if not session and is_logged_in == 0 then return 'absent' end
local events = {}
if session then
  table.insert(events, ARGV[6])
  table.insert(events, left_event(redis.call('HGET', KEYS[8], 'nickname'), session))
  write('DEL', KEYS[8])
  write('ZREM', KEYS[7], ARGV[4])
  write('SREM', KEYS[12], ARGV[4])
end
end_tokens(KEYS[11], KEYS[1])
write('DEL', KEYS[9])
write('ZREM', KEYS[10], ARGV[4])
return carried_out('done ' .. (session and 1 or 0) .. ' ' .. is_logged_in, events)
