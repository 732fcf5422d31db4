-- Delete a further room in which nobody is, that no node follows, and whose log has aged out, or has no message.
--
-- KEYS  1 meta   2 log   3 marks   4 members   5 batches   6 condemned   7 tokens   8 token-ends   9 moderation
--       10 muted   11 redacted   12 spoke   13 audit
-- ARGV  1 log age, ms
-- Returns 0 where it is deleted; else after how many milliseconds to look again

local age, now = tonumber(ARGV[1]), read_clock().now
if redis.call('EXISTS', KEYS[4], KEYS[5]) > 0 then return age end
local is_used = redis.call('HGET', KEYS[1], 'used') ~= false
local last = is_used and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local left = last and age - (now - tonumber(string.sub(last[2][2], 1, -4))) or 0
if left > 0 then return math.ceil(left) end
for _, key in ipairs(KEYS) do write('UNLINK', key) end
return done(0)
