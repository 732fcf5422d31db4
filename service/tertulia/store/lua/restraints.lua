-- Library of the commit script: it refuses what muted people say, and does what moderators ask for.
--   Q restraints: the keys that say who may not speak; it has no outcome     M moderate, see moderation.lua
--
-- A node puts Q in front of a batch once a reply has told it that a restraint may be in force. Other batches skip all
-- of this.

-- Add these ops to the batch's. They wrap other ops, so those have to be there already.
local function add_restraints(OPS, LOOKS, batch)
  local clock, events, key, log, meta, seat = batch.clock, batch.events, batch.key, batch.log, batch.meta, batch.seat
  local rules, speech

  local function folded(nick) return string.match(nick, '}:nick:(.+)$') end
  -- In a further room, since when the account is there that a seat is; nil where that is nothing to go by.
  local function account_in(nick) return batch.account_in and batch.account_in(nick) end

  LOOKS['Q'] = function(at)
    rules = key(at + RESTRAINTS.rules)
    speech = speech_in(rules, key(at + RESTRAINTS.muted), key(at + RESTRAINTS.spoke), clock)
    redis.call('ZSCORE', speech.muted, '')
    redis.call('HGET', rules, '')
  end

  OPS['Q'] = function()
    -- Where nothing is in force any more, later batches need not look.
    if batch.is_restrained and not speech.is_restrained then write('HSET', meta, 'restrained', 0) end
    return ''
  end

  local keep = OPS['V']

  local function restrained(say) return say and function(at)
    if not speech.is_restrained then return say(at) end
    local nick = key(at + SAY.nick)
    -- As msgspec writes it; in a text, these quotes would have backslashes.
    local is_account = string.find(ARGV[at + SAY.event], ',"a":true', 1, true)
    return speech.say(folded(nick), is_account, function() return account_in(nick) end, function() return say(at) end)
  end end
  OPS['s'], OPS['u'] = restrained(OPS['s']), restrained(OPS['u'])

  -- Return until when somebody may not whisper to somebody, as ``muted_until``. The muted may still ask those who can
  -- do something about it.
  function batch.silenced_until(nick, recipient)
    if not speech.is_restrained then return nil end
    local ends = speech.muted_until(folded(nick))
    return ends and not speech.is_moderator(folded(recipient)) and ends
  end

  if keep then OPS['V'] = function(at)
    local ends = batch.silenced_until(key(at + WHISPER_AWAY.nick), key(at + WHISPER_AWAY.recipient))
    if not ends then return keep(at) end
    batch.note_answer(ARGV[at + WHISPER_AWAY.token], ARGV[at + WHISPER_AWAY.tag], 'm')
    return 'm', ends
  end end

  OPS['M'] = function(at)
    if seat(key(at + MODERATE.nick)) ~= ARGV[at + MODERATE.session] then return 'g' end
    local name = folded(key(at + MODERATE.nick))
    if not batch.may(at, name, ARGV[at + MODERATE.action], rules) then return 'f' end
    local act = { action = ARGV[at + MODERATE.action], key = ARGV[at + MODERATE.key],
      value = tonumber(ARGV[at + MODERATE.value]), index = tonumber(ARGV[at + MODERATE.index]),
      text = ARGV[at + MODERATE.text], event = ARGV[at + MODERATE.event] }
    if (act.action == 'mute' or act.action == 'kick') and speech.is_moderator(act.key, account_in(key(at + MODERATE.other))) then
      return 'f'
    end
    local other, gone = key(at + MODERATE.other), nil
    if act.action == 'kick' then
      local session, there = seat(other)
      if not session then return 'u' end
      gone = left_event(redis.call('HGET', other, 'nickname'), session)
      batch.evict(at, act.key, other, there)
    end
    local why, event = moderate({ moderation = rules, muted = speech.muted, redacted = key(at + MODERATE.redacted), log = log,
      meta = meta }, act, clock.now)
    if why then return why end
    events[#events + 1] = ARGV[at + MODERATE.command]
    events[#events + 1] = event
    if gone then events[#events + 1] = gone end
    write('XADD', key(at + MODERATE.audit), 'MAXLEN', '~', ARGV[at + MODERATE.most], '*', 'e', ARGV[at + MODERATE.command])
    speech.read()
    return 'd'
  end
end
