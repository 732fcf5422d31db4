-- A step of the relay of a webhook in one room. Only who has the relay takes it.
--
-- KEYS  1 the webhook   2 its dead letters
-- ARGV  1 who   2 in which term   3 the room   4 the position that it goes on from; '': none yet
--       5 the step
--           begin  at ARGV[6]
--           pin    a delivery, of what is up to ARGV[6]: tried again, it ends there again
--           fail   the delivery was tried in vain, ARGV[7] times by now
--           pass   go on from ARGV[6]
--           bury   go on from ARGV[6]: the delivery was given up, ARGV[7] says what it was, JSON
--           gone   the receiver ARGV[6], a digest, wants nothing more
--       6 a position or a digest   7 JSON or a number, as the step says   8 how many dead letters are kept
-- Returns {1, tries, since, now}: how often the delivery was tried, from when on, and the clock, milliseconds; or {0}:
-- somebody else has the relay, or the room's position is another one. Then nothing is done
--
--   {chat}:webhook:NAME       hash: holder, until (ms), term; gone; and for each ROOM
--                               at:ROOM    the position up to which all is delivered, or given up
--                               next:ROOM  the delivery under way: "<position of its end> <tries> <since, ms>"
--                               dead:ROOM  how many were given up
--   {chat}:webhook:NAME:dead  list: those that were given up, the last one first

local room, step = ARGV[3], ARGV[5]
local at, under_way, dead = 'at:' .. room, 'next:' .. room, 'dead:' .. room
local kept = redis.call('HMGET', KEYS[1], 'holder', 'term', at, under_way)
if kept[1] ~= ARGV[1] or kept[2] ~= ARGV[2] or (kept[3] or '') ~= ARGV[4] then return done({ 0 }) end
local clock = read_clock()
local last, tries, since = string.match(kept[4] or '', '^(%S+) (%d+) (%d+)$')

if step == 'begin' then
  write('HSET', KEYS[1], at, ARGV[6])
elseif step == 'pin' then
  last, tries, since = ARGV[6], '0', clock.ms
  write('HSET', KEYS[1], under_way, last .. ' 0 ' .. since)
elseif step == 'fail' then
  tries = ARGV[7]
  write('HSET', KEYS[1], under_way, (last or ARGV[4]) .. ' ' .. tries .. ' ' .. (since or clock.ms))
elseif step == 'gone' then
  write('HSET', KEYS[1], 'gone', ARGV[6])
else
  write('HSET', KEYS[1], at, ARGV[6])
  write('HDEL', KEYS[1], under_way)
  if step == 'bury' then
    write('HINCRBY', KEYS[1], dead, 1)
    write('LPUSH', KEYS[2], ARGV[7])
    write('LTRIM', KEYS[2], 0, tonumber(ARGV[8]) - 1)
  end
end
return done({ 1, tonumber(tries or 0), tonumber(since or clock.ms), clock.now })
