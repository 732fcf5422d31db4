-- Delete an account: its login, and what waits for it. Where more senders than are named have left something, only
-- what those have left.
--
-- KEYS  1 meta   2 account   3 device   4 devices   5 mailbox   6 senders   7 stream of an earlier version
--       then the senders' lists
-- ARGV  1 nickname, folded   then the senders, folded
-- Returns 1, 0 where there is no such account (then nothing is done), or 'more' where it is to be asked again

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local names, lists = { unpack(ARGV, 2) }, { unpack(KEYS, 8) }
local oldest, taken = {}, 0
for _, name in ipairs(names) do oldest[name] = false end
local is_all = redis.call('EXISTS', KEYS[7]) == 0
for _, name in ipairs(redis.call('ZRANGE', KEYS[6], 0, #names)) do is_all = is_all and oldest[name] == false end
local box = pending().open_box(KEYS[5], KEYS[6], unpack(names))
for _, name in ipairs(names) do
  pending().count_out(box, box.of[name])
  taken = taken + box.of[name].messages
end
if #lists > 0 then write('UNLINK', unpack(lists)) end
if not is_all then
  if #names > 0 then pending().save_box(box, oldest, taken) end
  return done('more')
end
write('DEL', KEYS[2], KEYS[3], KEYS[5], KEYS[6])
write('ZREM', KEYS[4], ARGV[1])
write('HINCRBY', KEYS[1], 'pending', 0 - taken - math.max(0, box.messages))  -- the minus of -0 is no integer to Redis
return done(1)
