-- Library: whether somebody may say something in a room now, who may be muted, too quick for slow mode, or a guest where
-- only accounts speak. Where that is kept: moderation.lua.

-- Look at what is in force; rules, muted and spoke are keys. Returns what answers about it.
local function speech_in(rules, muted, spoke, clock)
  local it = { muted = muted }
  local slow, accounts_only

  function it.read()
    local found = redis.call('HMGET', rules, 'slow', 'accounts_only')
    slow, accounts_only = tonumber(found[1] or 0) * 1000, found[2]
    local last = redis.call('ZRANGE', muted, -1, -1, 'WITHSCORES')[2]
    it.is_restrained = slow > 0 or accounts_only or last and tonumber(last) > clock.now
  end

  -- Say whether a name is a moderator's, or the owner's. Where it is given since when the account is there that has the
  -- name now, another account of that name, or a guest, is not.
  function it.is_moderator(name, account)
    for _, field in ipairs({ 'moderator:', 'owner:' }) do
      local since = redis.call('HGET', rules, field .. name)
      if since and (not account or account == since) then return true end
    end
    return false
  end

  -- Return until when somebody is muted, 0 where that does not end; nil where he is not.
  function it.muted_until(name)
    local ends = redis.call('ZSCORE', muted, name)
    if not ends or tonumber(ends) <= clock.now then return nil end
    return ends == 'inf' and '0' or ends
  end

  -- Have somebody say something by say(), unless he may not: then it is 'm', 's' and until when, or 'a'. account() returns
  -- the account that has the name, as is_moderator takes it.
  function it.say(name, is_account, account, say)
    local ends = it.muted_until(name)
    if ends then return 'm', ends end
    if accounts_only and not is_account then return 'a' end
    if slow == 0 or it.is_moderator(name, account()) then return say() end
    local last = tonumber(redis.call('ZSCORE', spoke, name) or 0)
    if clock.now < last + slow then return 's', string.format('%d', last + slow) end
    local outcome = say()
    if outcome == 'd' then
      write('ZREMRANGEBYSCORE', spoke, '-inf', clock.now - slow)
      write('ZADD', spoke, clock.ms, name)
    end
    return outcome
  end

  it.read()
  return it
end
