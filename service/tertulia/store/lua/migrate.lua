-- Move some messages from the stream of an earlier version into lists: the newest first, each put before what its
-- sender has left since.
--
-- KEYS  1 meta   2 the stream   3 its counts   4 mailbox   5 senders   then for each sender: list, account
-- ARGV  1 most messages   2 most bytes   then the senders, folded
-- Returns how many are left in the stream
--
--   {chat}:pending:NICK  stream: f sender as shown, x text
--   {chat}:counts:NICK   hash: sender, folded → how many; '' → bytes in all; ':' and the name of an entry → how
--                        many bytes of it were shown

local stream, counts, names = KEYS[2], KEYS[3], { unpack(ARGV, 3) }
local lists, accounts = {}, {}
for index, name in ipairs(names) do
  lists[name], accounts[name] = KEYS[4 + 2 * index], redis.call('EXISTS', KEYS[5 + 2 * index]) == 1
end
local box = pending().open_box(KEYS[4], KEYS[5], unpack(names))
local moved, oldest, gone, shown = {}, {}, {}, {}
local lowest = tonumber(redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] or math.huge)
local was_empty = box.messages == 0
local left, size, before = redis.call('XLEN', stream), 0, '+'
while #gone < tonumber(ARGV[1]) and size < tonumber(ARGV[2]) do
  local entry = redis.call('XREVRANGE', stream, before, '-', 'COUNT', 1)[1]
  if not entry then break end
  local nickname, text = entry[2][2], entry[2][4]
  local name, ms = string.lower(nickname), string.match(entry[1], '^%d+')
  if not lists[name] then break end
  local its, number = box.of[name], math.min(tonumber(ms), lowest - 1)
  local bytes = #text + MESSAGE_BYTES
  if its.messages == 0 then its.at, its.nickname, bytes = ms, nickname, bytes + SENDER_BYTES end
  pending().count(box, its, bytes, accounts[name], 1)
  its.shown = tonumber(redis.call('HGET', counts, ':' .. entry[1]) or 0)
  lowest, oldest[name], box.last = number, number, math.max(box.last, number)
  moved[name] = moved[name] or { bytes = 0 }
  table.insert(moved[name], digits(number) .. ' ' .. ms .. (accounts[name] and ' 1 ' or ' 0 ') .. nickname .. ' ' .. text)
  moved[name].bytes = moved[name].bytes + #nickname + #text
  gone[#gone + 1], shown[#shown + 1], size = entry[1], ':' .. entry[1], size + #text
  before = '(' .. entry[1]
end
if #gone == 0 then return left end
for name, items in pairs(moved) do
  write('LPUSH', lists[name], unpack(items))
  write('HINCRBY', counts, name, -#items)
  write('HINCRBY', counts, '', -items.bytes)
end
if was_empty then write('DEL', box.mailbox) end  -- and that it expires
pending().save_box(box, oldest, 0)
write('XDEL', stream, unpack(gone))
write('HDEL', counts, unpack(shown))
if left == #gone then write('DEL', stream, counts) end
return done(left - #gone)
