-- Change the account of a session in the room: make it, change its password, or only end its other logins. Or make
-- one for who is on the way in: where nobody holds the nickname, and there is none.
--
-- KEYS  1 meta   2 account   3 nickname hash   4 token of the session, if it has one   5 device   6 devices
--       7 ended: see expel.lua   8 invitations   9 audit
-- ARGV  1 session; '': it is on the way in   2 nickname   3 nickname, folded   4 hash of the password from now on
--       5 hash until now; '': there is no account   6 the invitation with which it is made, as it is kept; '': none
--       is needed   7 for the audit log   8 most lines there
-- Returns since when the account is there; 'gone' where somebody else holds the nickname or nobody, 'taken' where the
-- account has another hash than ARGV says, 'uninvited' where the invitation is unknown or has expired
--
--   {chat}:invitations  hash: SHA-256 of a code → '<number> <made, ms> <until, ms>'; last: the last number

local clock = read_clock()
local hash, since = unpack(redis.call('HMGET', KEYS[2], 'hash', 'since'))
hash, since = hash or '', since or '0'
if ARGV[4] ~= ARGV[5] and hash == ARGV[4] then return since end  -- asked again: no other hash has this salt
if (held(KEYS[3], redis.call('HGET', KEYS[1], 'sitting') or '0') or '') ~= ARGV[1] then return 'gone' end
if hash ~= ARGV[5] then return 'taken' end
if ARGV[6] ~= '' then
  local till = string.match(redis.call('HGET', KEYS[8], ARGV[6]) or '', '(%d+)$')
  if not till or tonumber(till) <= clock.now then return 'uninvited' end
  write('HDEL', KEYS[8], ARGV[6])
end
if hash == '' then
  write('HSET', KEYS[2], 'nickname', ARGV[2], 'hash', ARGV[4], 'since', clock.ms)
  since = clock.ms
else
  write('HSET', KEYS[2], 'hash', ARGV[4])
end
write('DEL', KEYS[5])
write('ZREM', KEYS[6], ARGV[3])
-- All tokens until now are over, and his own counts as a later one's.
local joins = tonumber(redis.call('HGET', KEYS[1], 'joins') or 0)
end_tokens(KEYS[7], KEYS[1])
write('HINCRBY', KEYS[1], 'joins', 1)
if redis.call('EXISTS', KEYS[4]) == 1 then
  write('HSET', KEYS[4], 'as', redis.sha1hex(ARGV[4]), 'joins', joins + 1)
end
write('XADD', KEYS[9], 'MAXLEN', '~', ARGV[8], '*', 'e', ARGV[7])
return done(since)
