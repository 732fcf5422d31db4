-- Moderate the room, as an operator. For a kick see expel.lua.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 moderation   8 muted   9 redacted   10 the account of the nickname that it is about
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 action   5 nickname that it is about, folded   6 value   7 index   8 text   9 event, JSON
-- Returns 'done', 'no-chat', or why not: see moderation.lua

local answer = answered()
if answer then return answer end
local there = { moderation = KEYS[7], muted = KEYS[8], redacted = KEYS[9], account = KEYS[10], log = keys.log,
  meta = keys.meta }
local why, event = moderate(there, { action = ARGV[4], key = ARGV[5], value = tonumber(ARGV[6]),
  index = tonumber(ARGV[7]), text = ARGV[8], event = ARGV[9] }, clock.now)
if why then return done(why) end
return carried_out('done', { event })
