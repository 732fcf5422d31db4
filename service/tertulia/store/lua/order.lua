-- Library of the scripts that carry out an operator's order: once, however often it is sent, with a line in
-- the audit log, and told to all nodes in the room's log.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 order: what came of this one
-- ARGV  1 the order, JSON   2 room channel   3 most lines in the audit log
--
--   {chat}:audit     stream: one order an entry; e JSON
--   {chat}:order:ID  string: the answer that was given; expires in ten minutes

local ANSWER_MS = 600000
local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local clock = read_clock()
local meta = read_meta(keys.meta)

-- Return what there is to answer without doing anything: this order was carried out before, or there is no
-- such chat. Else nil.
local function answered()
  local before = redis.call('GET', KEYS[6])
  if before then return before end
  if not meta[1] then return 'no-chat' end
  return nil
end

-- Let no token of a nickname that was given until now resume a session.
local function end_tokens(ended)
  write('HSET', ended, 'joins', redis.call('HGET', KEYS[1], 'joins') or 0)
  write('PEXPIRE', ended, 3600000)  -- as long as a token is known
end

-- Tell everybody of the order and of the events that came of it, and write it down. The log is trimmed by
-- nodes alone, who know how long it is to be.
local function carried_out(answer, events)
  local lines = { ARGV[1] }
  for _, event in ipairs(events) do table.insert(lines, event) end
  append(keys, meta, 'admin', 0, clock, lines, ARGV[2], math.huge, math.huge)
  write('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[1])
  write('SET', KEYS[6], answer, 'PX', ANSWER_MS)
  return done(answer)
end
