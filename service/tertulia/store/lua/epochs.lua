-- Library of the scripts that register a node with a log: which epoch the log is in, and whether another one begins.

-- Read where a log is, and whether it is still the one that the node has followed: known is the epoch, seen the offset
-- there, stamp the time in microseconds of the entry there, or ''.
local function find_epoch(meta, log, known, seen, stamp)
  local told = redis.call('HMGET', meta, 'epoch', 'base', 'offset', 'before')
  local it = { meta = meta, known = known, epoch = told[1], base = tonumber(told[2] or 0), offset = tonumber(told[3] or 0),
    before = told[4] or '' }
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local heard = stamp ~= '' and redis.call('XRANGE', log, seen .. '-0', seen .. '-0')[1]
  it.logged = last and tonumber(string.match(last[1], '^%d+')) or 0
  it.is_heard = heard and heard[2][2] == stamp
  -- Its last entry may be another one by now: the log was rewound, and others have gone on in it since.
  it.is_rewound = it.epoch == known and (it.offset < tonumber(seen) or heard and not it.is_heard)
  return it
end

-- Begin another epoch if one has to begin; joined is the highest number of a join that is still known.
local function go_on_in_epoch(it, name, clock, joined)
  if it.epoch and not it.is_rewound and it.logged <= it.offset then return end
  it.before = ''
  if not it.epoch then
    if joined then write('HSET', it.meta, 'joins', joined) end
    if it.logged > 0 or joined then write('HSET', it.meta, 'restrained', 1) end  -- until a batch has looked
    -- Its meta alone was lost: the log is still what the node has followed.
    if it.is_heard then it.before = it.known end
  elseif it.logged <= it.offset then
    it.before = it.epoch
  end  -- else the log is ahead, for a reason that nobody knows: see append.lua
  it.offset = math.max(it.offset, it.logged)
  it.epoch, it.base = name, it.offset
  begin_epoch(it.meta, name, it.before, it.offset, clock)
end
