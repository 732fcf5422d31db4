-- Say something in a room for a program that has no seat there: once, however often it is sent under one key.
--
-- KEYS  1 meta   2 log   3 marks   4 posted: what became of this key   5 moderation   6 muted   7 spoke
--       8 in the lobby only, the speaker's account: a further room's script can't read it
-- ARGV  1 digest of the text   2 room channel; '': told later, by show.lua   3 log age, ms   4 log bytes
--       5 nickname, folded   6 since when its account is there, 0: there is none   7 '1' where it is banned
--       8 event, JSON   9 milliseconds for which the key is remembered
-- Returns one of
--   {'ok', epoch, offset, published, 'said' or 'again'}   again: it was said before, there and then
--   {'reused'}    the key was used for another text
--   {'absent'}    there is no such room
--   {'n'}         there is no such account        {'x'}  it is banned
--   {'m', until}  muted   {'s', until}  too soon in slow mode: until when, ms, 0: for good
-- Unless it is ok, nothing was done.
--
--   {chat}:posted:HASH  string: "<digest> <epoch> <offset> <published>"; expires in a day

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local saved = redis.call('GET', KEYS[4])
if saved then
  local digest, epoch, offset, published = string.match(saved, '^(%S+) (%S+) (%d+) (%d+)$')
  if digest ~= ARGV[1] then return { 'reused' } end
  -- A server that takes no writes is to refuse this as well, and replicas are waited for by what was written.
  write('SET', KEYS[4], saved, 'KEEPTTL')
  return done({ 'ok', epoch, tonumber(offset), published, 'again' })
end

local meta = read_meta(keys.meta)
if not meta[1] then return { 'absent' } end
local is_further = not KEYS[8]
local account = is_further and ARGV[6] or redis.call('HGET', KEYS[8], 'since') or '0'
if account == '0' or account ~= ARGV[6] then return { 'n' } end
if ARGV[7] == '1' then return { 'x' } end

local clock, offset = read_clock(), nil
local function say()
  if is_further then write('HSETNX', keys.meta, 'used', '1') end
  offset = append(keys, meta, 'api', 0, clock, { ARGV[8] }, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
  write('SET', KEYS[4], table.concat({ ARGV[1], meta[1], string.format('%d', offset), clock.stamp }, ' '), 'PX', ARGV[9])
  return 'd'
end

local outcome, ends
if meta[6] == '1' then
  outcome, ends = speech_in(KEYS[5], KEYS[6], KEYS[7], clock).say(ARGV[5], true, function() return account end, say)
else
  outcome = say()
end
if outcome ~= 'd' then return { outcome, ends } end
return done({ 'ok', meta[1], offset, clock.stamp, 'said' })
