-- Ban somebody: write the ban down, and tell all nodes. They end the sessions.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: see operator_command.lua
--       7 bans   8 their ends   9 ended: see expel.lua
-- ARGV  1 command   2 channel   3 most: see operator_command.lua
--       4 name of the ban   5 the ban, JSON   6 its end, ms, or 0   7 1: it is of a nickname
-- Returns 'done' or 'no-chat'
--
--   {chat}:bans      hash: name → ban, JSON
--   {chat}:ban-ends  zset: name → when it ends, ms; only those that do

local answer = answered()
if answer then return answer end
-- Those that are over go here: bounded, and until then they cover nobody.
local over = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', clock.now, 'LIMIT', 0, 500)
for _, name in ipairs(over) do
  write('HDEL', KEYS[7], name)
  write('ZREM', KEYS[8], name)
end
write('HSET', KEYS[7], ARGV[4], ARGV[5])
if ARGV[6] == '0' then
  write('ZREM', KEYS[8], ARGV[4])
else
  write('ZADD', KEYS[8], ARGV[6], ARGV[4])
end
if ARGV[7] == '1' then end_tokens(KEYS[9], KEYS[1]) end
return carried_out('done', {})
