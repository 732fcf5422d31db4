-- Announce some of a condemned node's sessions as gone from a further room, and free their seats.
--
-- KEYS  1 meta   2 log   3 marks   4 members   5 condemned   6 token-ends   then the nickname hashes
-- ARGV  1 node that buries   2 node that is buried   3 log age, ms   4 log bytes   5 room channel
--       6 milliseconds for which tokens are kept   then the nicknames, folded, in the order of KEYS
-- Returns {'ok', epoch, offset}, or {'alive'} where the node is not condemned here: then nothing is done

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local dead = ARGV[2]
local clock = read_clock()
if not redis.call('ZSCORE', KEYS[5], dead) then return { 'alive' } end
local meta = read_meta(keys.meta)
local events, gone = {}, {}
for index = 7, #KEYS do
  local was = redis.call('HMGET', KEYS[index], 'node', 'session', 'nickname', 'token')
  if was[1] == dead then
    table.insert(gone, { index = index, token = was[4] })
    table.insert(events, string.sub(left_event(was[3], was[2]), 1, -2) .. ',"q":true}')
  end
end
local offset = tonumber(meta[2] or 0)
if #events > 0 then
  offset = append(keys, meta, ARGV[1], 0, clock, events, ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[4]))
end
for _, it in ipairs(gone) do
  write('ZREM', KEYS[4], ARGV[it.index])
  write('DEL', KEYS[it.index])
  if it.token and it.token ~= '' then
    write('ZADD', KEYS[6], string.format('%d', clock.now + tonumber(ARGV[6])), it.token)
  end
end
return done({ 'ok', meta[1] or '', offset })
