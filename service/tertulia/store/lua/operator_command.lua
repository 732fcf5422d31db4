-- Library of the scripts that carry out an operator command. Each is carried out once, however often it is sent.
-- It gets a line in the audit log, and all nodes read it in the room's log.
--
-- KEYS  1 meta   2 log   3 marks   4 leases   5 audit   6 command: the answer to this one
-- ARGV  1 the command, JSON   2 room channel   3 most lines in the audit log
--
--   {chat}:audit     stream: one command an entry; e JSON
--   {chat}:order:ID  string: the answer that was given; expires in ten minutes

local ANSWER_MS = 600000
local keys = { meta = KEYS[1], log = KEYS[2], marks = KEYS[3] }
local clock = read_clock()
local meta = read_meta(keys.meta, 'sitting')

-- Return the answer where nothing is to be done: this command was carried out before, or there is no such
-- chat. Else nil.
local function answered()
  local before = redis.call('GET', KEYS[6])
  if before then return before end
  if not meta[1] then return 'no-chat' end
  return nil
end

-- Append the command and its events to the log, and write it down for audits. Only nodes trim the log: they
-- know how long it may be.
local function carried_out(answer, events)
  local lines = { ARGV[1] }
  for _, event in ipairs(events) do table.insert(lines, event) end
  append(keys, meta, 'admin', 0, clock, lines, ARGV[2], math.huge, math.huge)
  write('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[1])
  write('SET', KEYS[6], answer, 'PX', ANSWER_MS)
  return done(answer)
end
