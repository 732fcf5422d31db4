-- Make an account.
--
-- KEYS  1 meta   2 account   3 nickname hash
-- ARGV  1 nickname   2 password hash   3 since, milliseconds; none: now   4 last used; none: never
-- Returns 'done', 'taken' where there is one, or 'held' where a guest is in the chat under this nickname

if redis.call('EXISTS', KEYS[2]) == 1 then return 'taken' end
if held(KEYS[3], redis.call('HGET', KEYS[1], 'sitting') or '0') then return 'held' end
write('HSET', KEYS[2], 'nickname', ARGV[1], 'hash', ARGV[2], 'since', ARGV[3] or read_clock().ms)
if ARGV[4] then write('HSET', KEYS[2], 'used', ARGV[4]) end
return done('done')
