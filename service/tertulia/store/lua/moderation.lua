-- Library: what moderators set in a room, and where it is kept.
--
--   {chat}:moderation  hash: topic; slow, seconds; accounts_only, 1; moderator:NICK → since when that account is there; in a
--                      further room also owner:NICK, the same, and outsiders, 1 where they may speak;
--                      mute:NICK → the event of the mute
--   {chat}:muted       zset: nickname, folded → when the mute ends, ms; +inf: not by itself
--   {chat}:redacted    zset: offset and index of a message → its offset
--   {chat}:spoke       zset: nickname, folded → when it last said something in slow mode, ms
--   meta, restrained   1 where a mute, slow mode or accounts-only may be in force

local MOST_MUTED = 1000

-- Do it. there: moderation, muted, redacted, log, meta, and account but for a further room; act: action, key (the folded
-- nickname that it is about), value, index, text, event. Returns nil and the event as it is to be told; or why not: 'u'
-- there is nobody or nothing such, 'b' too many are muted, 'n' there is no such account.
local function moderate(there, act, now)
  local rules, event = there.moderation, act.event
  local function set(field, value)
    if value then write('HSET', rules, field, value) else write('HDEL', rules, field) end
  end
  local function restrain() write('HSET', there.meta, 'restrained', 1) end

  if act.action == 'mute' then
    -- Those that are over go here: bounded, and until then they mute nobody.
    local over = redis.call('ZRANGEBYSCORE', there.muted, '-inf', now, 'LIMIT', 0, 500)
    if redis.call('ZCARD', there.muted) - #over >= MOST_MUTED then return 'b' end
    for _, name in ipairs(over) do
      set('mute:' .. name, nil)
      write('ZREM', there.muted, name)
    end
    local ends = '+inf'
    if act.value > 0 then
      ends = string.format('%d', now + act.value * 1000)
      event = string.gsub(event, '"u":1', '"u":' .. ends, 1)
    end
    write('ZADD', there.muted, ends, act.key)
    set('mute:' .. act.key, event)
    restrain()
  elseif act.action == 'unmute' then
    if not redis.call('ZSCORE', there.muted, act.key) then return 'u' end
    write('ZREM', there.muted, act.key)
    set('mute:' .. act.key, nil)
  elseif act.action == 'slow' then
    set('slow', act.value > 0 and act.value)
    if act.value > 0 then restrain() end
  elseif act.action == 'accounts-only' then
    set('accounts_only', act.value > 0 and 1)
    if act.value > 0 then restrain() end
  elseif act.action == 'topic' then
    set('topic', act.text ~= '' and act.text)
  elseif act.action == 'redact' then
    local id, index = string.format('%d-0', act.value), 0
    local entry = redis.call('XRANGE', there.log, id, id)[1]
    local first = redis.call('XRANGE', there.log, '-', '+', 'COUNT', 1)[1]
    if not entry then return 'u' end
    for line in string.gmatch(entry[2][6], '[^\n]+') do
      if string.sub(line, 1, 11) == '{"t":"said"' then index = index + 1 end
    end
    if act.index >= index then return 'u' end
    local since = string.match(first[1], '^%d+')
    event = string.gsub(event, '"g":1', '"g":' .. since, 1)
    write('ZREMRANGEBYSCORE', there.redacted, '-inf', '(' .. since)
    write('ZADD', there.redacted, act.value, string.format('%d %d', act.value, act.index))
  elseif act.action == 'outsiders' then
    set('outsiders', act.value > 0 and 1)
  elseif act.action == 'moderator-add' then
    -- A further room's script can't read accounts: whoever asks has looked it up.
    local since = there.account and redis.call('HGET', there.account, 'since')
    if not there.account and act.value > 0 then since = string.format('%d', act.value) end
    if not since then return 'n' end
    set('moderator:' .. act.key, since)
  elseif act.action == 'moderator-remove' then
    if not redis.call('HGET', rules, 'moderator:' .. act.key) then return 'u' end
    set('moderator:' .. act.key, nil)
  end
  return nil, event
end
