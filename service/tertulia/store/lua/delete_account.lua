-- Delete an account: its login, and the messages that wait for it. Where there are more
-- senders than the call names, it deletes only the messages of those.
--
-- KEYS  1 meta   2 account   3 device   4 devices   5 mailbox   6 senders   7 stream of an earlier version
--       8 nickname hash   9 token of the session that asks for it, if there is one   10 audit
--       then the senders' lists
-- ARGV  1 nickname, folded   2 only if it was not used for so many milliseconds, nor is anybody connected as it;
--       0: always   3 for the audit log, '' where nothing is to stand there   4 most lines there
--       then the senders, folded
-- Returns 1; 0 where there is no such account, or where it is in use (then nothing is done); 'more' where the caller
-- has to call again

if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if ARGV[2] ~= '0' then
  local since, used = unpack(redis.call('HMGET', KEYS[2], 'since', 'used'))
  local is_here = redis.call('EXISTS', KEYS[3]) == 1
    or held(KEYS[8], redis.call('HGET', KEYS[1], 'sitting') or '0')
  if is_here or read_clock().now - tonumber(used or since or 0) < tonumber(ARGV[2]) then return 0 end
end
local names, lists = { unpack(ARGV, 5) }, { unpack(KEYS, 11) }
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
if redis.call('EXISTS', KEYS[9]) == 1 then write('HSET', KEYS[9], 'as', 'guest') end
if ARGV[3] ~= '' then write('XADD', KEYS[10], 'MAXLEN', '~', ARGV[4], '*', 'e', ARGV[3]) end
return done(1)
