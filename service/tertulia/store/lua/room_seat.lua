-- Write members of a further room down again after Redis lost data, or came back with an older state.
--
-- KEYS  1 meta   2 log   3 marks   4 members   5 condemned   then for each member its nickname hash
-- ARGV  1 node that writes   2 epoch   3 log age, ms   4 log bytes   5 room channel
--       6 offset up to which the writer has read the log
--       then for each member, oldest first: key, session, node, nickname, dialect, number, proven, about, event or
--       ''; only its own node gives an event
-- Returns {'ok', epoch, offset}, {'behind'}, {'epoch'} or {'fenced'}, as seat.lua
--
-- Who has come with a greater number is there indeed, and stays.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local members, condemned = KEYS[4], KEYS[5]
local meta = read_meta(keys.meta)
if meta[1] ~= ARGV[2] then return { 'epoch' } end
if redis.call('ZSCORE', condemned, ARGV[1]) then return { 'fenced' } end
local news = unread(keys.log, tonumber(meta[2] or 0), tonumber(ARGV[6]))
if not news then return { 'behind' } end

local clock = read_clock()
local events, missing = {}, {}
local at, index = 7, 6
while at <= #ARGV do
  local hash, own = KEYS[index], ARGV[at + 8]
  local holder, there = held(hash, '0'), redis.call('HMGET', hash, 'number', 'nickname')
  local is_later = holder and holder ~= ARGV[at + 1] and tonumber(there[1] or 0) > tonumber(ARGV[at + 5])
  if holder ~= ARGV[at + 1] and not is_later then
    if holder and string.find(news, '"s":"' .. holder .. '"', 1, true) then return { 'behind' } end
    if not redis.call('ZSCORE', condemned, ARGV[at + 2]) then table.insert(missing, { at = at, hash = hash }) end
    if holder and own ~= '' then table.insert(events, left_event(there[2], holder)) end
  end
  if own ~= '' and not is_later then table.insert(events, own) end
  at, index = at + 9, index + 1
end
local offset = tonumber(meta[2] or 0)
if #events > 0 then
  offset = append(keys, meta, ARGV[1], 0, clock, events, ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[4]))
end
for _, it in ipairs(missing) do
  local number = ARGV[it.at + 5]
  write('ZADD', members, number, ARGV[it.at])
  write('DEL', it.hash)
  write('HSET', it.hash, 'session', ARGV[it.at + 1], 'node', ARGV[it.at + 2], 'sitting', '0', 'nickname',
    ARGV[it.at + 3], 'dialect', ARGV[it.at + 4], 'number', number, 'proven', ARGV[it.at + 6], 'about',
    ARGV[it.at + 7])
end
return done({ 'ok', meta[1], offset })
