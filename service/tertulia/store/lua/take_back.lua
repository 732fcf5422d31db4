-- Take back messages of somebody that wait for an account.
--
-- KEYS  1 meta   2 pending   3 counts
-- ARGV  1 the sender, folded   then the entries
-- Returns how many were taken back

local pending, counts = KEYS[2], KEYS[3]
local found, bytes = {}, 0
for index = 2, #ARGV do
  local entry = redis.call('XRANGE', pending, ARGV[index], ARGV[index])[1]
  if entry then
    found[#found + 1], bytes = ARGV[index], bytes + #entry[2][2] + #entry[2][4]
  end
end
if #found == 0 then return 0 end
local of_his = tonumber(redis.call('HGET', counts, ARGV[1]) or 0)
local is_all = redis.call('XLEN', pending) == #found
write('XDEL', pending, unpack(found))
if of_his > #found then
  write('HINCRBY', counts, ARGV[1], -#found)
else
  write('HDEL', counts, ARGV[1])
end
write('HINCRBY', counts, '', -bytes)
write('HINCRBY', KEYS[1], 'pending', -#found)
if is_all then write('DEL', pending, counts) end
return done(#found)
