-- Ban somebody: write it down, log devices out that it covers, and tell all nodes, which see to the rest.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 order: see order.lua
--       7 bans   8 their ends   9 devices   10 ended: see expel.lua   then device hashes
-- ARGV  1 order   2 channel   3 most: see order.lua
--       4 name of the ban   5 the ban, JSON   6 its end, ms, or 0   7 1: it is of a nickname
--       then for each device: its nickname, folded, and the address that it has to be logged in from, or ''
-- Returns 'done <how many devices were logged out>' or 'no-chat'
--
--   {chat}:bans      hash: name → ban, JSON
--   {chat}:ban-ends  zset: name → when it ends, ms; only those that do

local answer = answered()
if answer then return answer end
-- Those that are over go here: bounded, and until then they cover nobody.
local over = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', clock.now, 'LIMIT', 0, 500)
local covered = {}
for index = 11, #KEYS do
  local at = 8 + (index - 11) * 2
  local address = redis.call('HGET', KEYS[index], 'address')
  if address and (ARGV[at + 1] == '' or ARGV[at + 1] == address) then covered[KEYS[index]] = ARGV[at] end
end
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
if ARGV[7] == '1' then end_tokens(KEYS[10]) end
local count = 0
for device, nickname in pairs(covered) do
  write('DEL', device)
  write('ZREM', KEYS[9], nickname)
  count = count + 1
end
return carried_out('done ' .. count, {})
