-- Announce some of a condemned node's sessions as gone, and free their nicknames.
--
-- KEYS  1 meta   2 log   3 marks   4 members   5 leases   6 the node's nicks   7 the node's burial
--       then the nickname hashes
-- ARGV  1 node that buries   2 node that is buried   3 log age, ms   4 log bytes   5 room channel
--       6 claim, ms   then the nicknames, folded, in the order of KEYS
-- Returns how many nicknames the buried node still has, or -1 where the caller has lost its claim

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local dead = ARGV[2]
local clock, ms = read_clock(), tonumber(ARGV[6])
if claimant(KEYS[7], clock.now, ms) ~= ARGV[1] then return -1 end
if tonumber(redis.call('ZSCORE', KEYS[5], dead) or 1) ~= 0 then return -1 end
local meta = read_meta(keys.meta, 'sitting')
local events, gone = {}, {}
for index = 8, #KEYS do
  local was = redis.call('HMGET', KEYS[index], 'node', 'session', 'nickname', 'sitting')
  if was[1] == dead then
    table.insert(gone, index)
    -- Else the chat was closed since, and everybody knows.
    if was[4] == (meta[7] or '0') then table.insert(events, left_event(was[3], was[2])) end
  end
end
claim(KEYS[7], ARGV[1], clock.now, ms)
if #events > 0 then
  append(keys, meta, ARGV[1], 0, clock, events, ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[4]))
end
for _, index in ipairs(gone) do
  write('ZREM', KEYS[4], ARGV[index - 1])
  write('DEL', KEYS[index])
end
for index = 8, #KEYS do write('SREM', KEYS[6], ARGV[index - 1]) end
return done(redis.call('SCARD', KEYS[6]))
