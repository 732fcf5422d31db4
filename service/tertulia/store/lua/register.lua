-- Make a node known, with a lease, and tell it where the log is. A chat that Redis does not know begins.
--
-- KEYS  1 meta   2 leases   3 inboxes   4 log   5 order
--       6 nicks   7 inbox   8 waiting devices of the registration before
-- ARGV  1 node   2 lease, ms   3 name for a new epoch   4 epoch known before, or ''   5 offset seen in it
--       6 the time in microseconds of the entry there, or ''
--       7 as which it was registered before it was fenced, or ''
-- Returns {'ok', epoch, base, offset, last number of its inbox, the epoch before or ''}, or {'fenced'} where
-- its lease is condemned

local clock = read_clock()
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'base', 'offset', 'before')
local epoch, base, offset, before = meta[1], tonumber(meta[2] or 0), tonumber(meta[3] or 0), meta[4] or ''
local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
if lease and tonumber(lease) == 0 then return { 'fenced' } end
local letters = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
local heard = ARGV[6] ~= '' and redis.call('XRANGE', KEYS[4], ARGV[5] .. '-0', ARGV[5] .. '-0')[1]
local joined = redis.call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')[2]
local is_left = ARGV[7] ~= '' and redis.call('EXISTS', KEYS[6], KEYS[7], KEYS[8]) > 0
local logged = last and tonumber(string.match(last[1], '^%d+')) or 0
-- Its last entry may be another one by now: the log was rewound, and others have gone on in it since.
local is_rewound = epoch == ARGV[4] and (offset < tonumber(ARGV[5]) or heard and heard[2][2] ~= ARGV[6])

write('ZADD', KEYS[2], renewed(tonumber(lease or 0), clock.now, tonumber(ARGV[2])), ARGV[1])
if not epoch or is_rewound or logged > offset then
  before = ''
  if not epoch then
    if joined then write('HSET', KEYS[1], 'joins', joined) end
    -- Its meta alone was lost: the log is still what the node has followed.
    if heard and heard[2][2] == ARGV[6] then before = ARGV[4] end
  elseif logged <= offset then
    before = epoch
  end  -- else the log is ahead, for a reason that nobody knows: see append.lua
  offset = math.max(offset, logged)
  epoch, base = ARGV[3], offset
  begin_epoch(KEYS[1], epoch, before, offset)
end
-- The registration before may have lost its lease with Redis' data: nobody would know that it is to be buried.
if is_left then write('ZADD', KEYS[2], 'NX', 0, ARGV[7]) end
return done({ 'ok', epoch, base, offset, letters, before })
