-- Take a seat in a further room away from whoever has it. Keys of the room.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 members   8 nickname hash   9 token-ends
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 nickname, folded   5 event that says who was kicked, JSON
-- Returns 'done', 'absent' where nobody has it, or 'no-chat'

local TOKEN_MS = 3900000  -- as in room_commit.lua
local answer = answered()
if answer then return answer end
local session = held(KEYS[8], meta[7] or '0')
if not session then return 'absent' end
local seat = redis.call('HMGET', KEYS[8], 'nickname', 'token')
if seat[2] and seat[2] ~= '' then
  write('ZADD', KEYS[9], string.format('%d', clock.now + TOKEN_MS), seat[2])
end
write('DEL', KEYS[8])
write('ZREM', KEYS[7], ARGV[4])
return carried_out('done', { ARGV[5], left_event(seat[1], session) })
