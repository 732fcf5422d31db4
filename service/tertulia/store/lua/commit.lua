-- Commit one batch of a node's ops: all of it, in order, exactly once, or nothing.
--
-- KEYS  1 meta     2 log     3 marks     4 order     5 leases     6 batches     7 inboxes
--       8 the node's nicks   9 the node's inbox      10… nickname hashes and other nodes' inboxes,
--       named by the index among KEYS
-- ARGV  1 node     2 batch number     3 epoch     4 offset that the node has seen
--       5 lease, ms     6 number up to which the node's inbox is confirmed
--       7 log age, ms     8 log bytes     9 room channel     10 name for a new epoch
--       11 how many nodes whose inboxes are among KEYS, then for each: node, index, channel
--       then the ops, each a letter and its arguments; a token-index of 0 means none:
--         J index key session nickname dialect address port event token-index resumed
--                                                                    take the nickname
--         L index key session event                                  give it back
--         C index key session event                                  close the chat
--         S index session event token-index tag                      append the event
--         W index session recipient-index letter token-index tag     to the recipient's inbox
--         R index session letter                                     to the session's inbox
--
-- Returns one of
--   {'ok', offset, offset of this batch's entry or 0, number of its last letter for the
--    node itself or 0, outcomes: a character an op}
--   {'fenced'}                 the lease is gone or condemned; nothing done
--   {'epoch', epoch, offset}   Redis lost data; nothing done
--   {'peers', node…}           recipients are on nodes whose inboxes are not among KEYS; nothing done
-- Outcomes: d done, t taken, u unknown recipient, g the session does not hold its nickname,
-- f it is not the administrator.

local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local order, leases, batches, inboxes = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local nicks, inbox = KEYS[8], KEYS[9]
local node, batch, epoch, seen = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local clock = read_clock()

local meta = redis.call('HMGET', keys.meta, 'epoch', 'offset', 'sitting')
local sitting = meta[3] or '0'
local offset = tonumber(meta[2] or 0)
if meta[1] ~= epoch then return { 'epoch', meta[1] or '', offset } end
if offset < seen then
  -- Redis came back with an older state. Its log goes on under another name, so that nobody takes new
  -- entries for old ones.
  redis.call('HSET', keys.meta, 'epoch', ARGV[10], 'base', offset)
  return { 'epoch', ARGV[10], offset }
end

local lease = tonumber(redis.call('ZSCORE', leases, node) or 0)
if lease == 0 then return { 'fenced' } end
-- The first write, and one that Redis refuses when it is a replica, out of memory or cannot persist:
-- then nothing is done.
redis.call('ZADD', leases, clock.now + tonumber(ARGV[5]), node)

local confirmed = tonumber(ARGV[6])
local head = redis.call('LINDEX', inbox, 0)
if head then
  local first = tonumber(string.match(head, '^%d+'))
  if first <= confirmed then redis.call('LTRIM', inbox, confirmed - first + 1, -1) end
end

local saved = redis.call('HGET', batches, node)
if saved then
  local number, entry, letter, outcomes = string.match(saved, '^(%d+) (%d+) (%d+) (%a*)$')
  if number == batch then return { 'ok', offset, tonumber(entry), tonumber(letter), outcomes } end
end

local at = 12
local peers = {}
for _ = 1, tonumber(ARGV[11]) do
  peers[ARGV[at]] = { inbox = KEYS[tonumber(ARGV[at + 1])], channel = ARGV[at + 2] }
  at = at + 3
end
local first_op = at

local LENGTH = { J = 11, L = 5, C = 5, S = 6, W = 7, R = 4 }
local unknown, strangers = {}, {}
while at <= #ARGV do
  local op = ARGV[at]
  local target = nil
  if op == 'W' then target = tonumber(ARGV[at + 3]) elseif op == 'R' then target = tonumber(ARGV[at + 1]) end
  if target then
    local _, there = held(KEYS[target], sitting)
    if there and not peers[there] and not strangers[there] then
      strangers[there] = true
      table.insert(unknown, there)
    end
  end
  at = at + LENGTH[op]
end
if #unknown > 0 then
  table.insert(unknown, 1, 'peers')
  return unknown
end

local holders = {}  -- nickname hash -> session that holds it, or false
local function holder(key)
  local session = holders[key]
  if session == nil then
    session = held(key, sitting)
    holders[key] = session
  end
  return session
end

-- What a client has in its hand when it lost its connection: who it was, and what of it was done.
local TOKEN_MS = 3600000
local function remember(index, ...)
  if index == '0' then return end
  redis.call('HSET', KEYS[tonumber(index)], ...)
  redis.call('PEXPIRE', KEYS[tonumber(index)], TOKEN_MS)
end

local events, outcomes = {}, {}
local letters, touched, own_letter = {}, {}, 0
local function post(there, session, letter)
  local box = letters[there]
  if not box then
    box = {}
    letters[there] = box
    table.insert(touched, there)
  end
  local number = redis.call('HINCRBY', inboxes, there, 1)
  if there == node then own_letter = number end
  table.insert(box, table.concat({ number, session, clock.now, letter }, ' '))
end

at = first_op
while at <= #ARGV do
  local op = ARGV[at]
  local key = KEYS[tonumber(ARGV[at + 1])]
  local outcome = 'd'
  if op == 'S' then
    if holder(key) == ARGV[at + 2] then
      table.insert(events, ARGV[at + 3])
      remember(ARGV[at + 4], 'done', ARGV[at + 5])
    else
      outcome = 'g'
    end
  elseif op == 'W' then
    if holder(key) == ARGV[at + 2] then
      local session, there = held(KEYS[tonumber(ARGV[at + 3])], sitting)
      if session then post(there, session, ARGV[at + 4]) else outcome = 'u' end
      remember(ARGV[at + 5], 'done', ARGV[at + 6])
    else
      outcome = 'g'
    end
  elseif op == 'J' then
    local token = ARGV[at + 9]
    local owner = holder(key)
    if owner and ARGV[at + 10] == '1' then
      local was = redis.call('HMGET', KEYS[tonumber(token)], 'key', 'session')
      if was[1] == ARGV[at + 2] and was[2] == owner then
        -- Its own earlier session, which nobody has yet noticed to be gone. What that one still has
        -- under way comes to nothing from here on.
        table.insert(events, left_event(redis.call('HGET', key, 'nickname'), owner))
        redis.call('DEL', key)
        owner = false
      end
    end
    if owner then
      outcome = 't'
    else
      local joins = redis.call('HINCRBY', keys.meta, 'joins', 1)
      redis.call('HSET', key, 'nickname', ARGV[at + 4], 'node', node, 'session', ARGV[at + 3],
        'dialect', ARGV[at + 5], 'address', ARGV[at + 6], 'port', ARGV[at + 7], 'since', clock.now, 'sitting', sitting)
      redis.call('ZADD', order, joins, ARGV[at + 2])
      redis.call('SADD', nicks, ARGV[at + 2])
      holders[key] = ARGV[at + 3]
      remember(token, 'key', ARGV[at + 2], 'session', ARGV[at + 3])
      table.insert(events, ARGV[at + 8])
    end
  elseif op == 'L' then
    if holder(key) == ARGV[at + 3] then
      redis.call('DEL', key)
      redis.call('ZREM', order, ARGV[at + 2])
      redis.call('SREM', nicks, ARGV[at + 2])
      holders[key] = false
      table.insert(events, ARGV[at + 4])
    else
      outcome = 'g'
    end
  elseif op == 'C' then
    if holder(key) ~= ARGV[at + 3] then
      outcome = 'g'
    elseif redis.call('ZRANGE', order, 0, 0)[1] ~= ARGV[at + 2] then
      outcome = 'f'
    else
      redis.call('UNLINK', order)
      sitting = tostring(redis.call('HINCRBY', keys.meta, 'sitting', 1))
      holders = {}
      table.insert(events, ARGV[at + 4])
    end
  else  -- R
    local session, there = held(key, sitting)
    if session == ARGV[at + 2] then
      post(there, session, ARGV[at + 3])
    else
      outcome = 'g'
    end
  end
  table.insert(outcomes, outcome)
  at = at + LENGTH[op]
end

local entry = 0
if #events > 0 then
  entry = append(keys, epoch, offset, node, batch, clock, events, ARGV[9], tonumber(ARGV[7]), tonumber(ARGV[8]))
  offset = entry
else
  trim(keys, clock.now, tonumber(ARGV[7]), tonumber(ARGV[8]))
end
for _, there in ipairs(touched) do
  local box, peer = letters[there], peers[there]
  for from = 1, #box, 1000 do  -- unpack has a bound
    redis.call('RPUSH', peer.inbox, unpack(box, from, math.min(from + 999, #box)))
  end
  redis.call('PUBLISH', peer.channel, '1 i ' .. epoch .. '\n' .. table.concat(box, '\n'))
end
local result = table.concat(outcomes)
redis.call('HSET', batches, node, table.concat({ batch, entry, own_letter, result }, ' '))
return { 'ok', offset, entry, own_letter, result }
