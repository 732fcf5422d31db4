-- Make a node known, with a lease, and tell it where the log is. A chat that Redis does not know begins.
--
-- KEYS  1 meta   2 leases   3 inboxes   4 log
--       5 nicks   6 inbox   7 waiting devices of the registration before
-- ARGV  1 node   2 lease, ms   3 name for a new epoch   4 epoch known before, or ''   5 offset seen in it
--       6 the time in microseconds of the entry there, or ''
--       7 as which it was registered before it was fenced, or ''
-- Returns {'ok', epoch, base, offset, last number of its inbox, the epoch before or ''}, or {'fenced'} where
-- its lease is condemned

local clock = read_clock()
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'base', 'offset', 'before')
local epoch, base, offset = meta[1], tonumber(meta[2] or 0), tonumber(meta[3] or 0)
local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
if lease and tonumber(lease) == 0 then return { 'fenced' } end
-- Its last entry may be another one by now: the log was rewound, and others have gone on in it since.
local function is_rewound()
  if offset < tonumber(ARGV[5]) then return true end
  local found = ARGV[6] ~= '' and redis.call('XRANGE', KEYS[4], ARGV[5] .. '-0', ARGV[5] .. '-0')[1]
  return found and found[2][2] ~= ARGV[6]
end
local before = meta[4] or ''
if not epoch or (epoch == ARGV[4] and is_rewound()) then
  before, epoch, base = epoch or '', ARGV[3], offset
  begin_epoch(KEYS[1], epoch, before, offset)
end
redis.call('ZADD', KEYS[2], renewed(tonumber(lease or 0), clock.now, tonumber(ARGV[2])), ARGV[1])
-- That registration may have lost its lease with Redis' data: then nobody would know that it is to be buried.
if ARGV[7] ~= '' and redis.call('EXISTS', KEYS[5], KEYS[6], KEYS[7]) > 0 then
  redis.call('ZADD', KEYS[2], 'NX', 0, ARGV[7])
end
return { 'ok', epoch, base, offset, tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0), before }
