-- Library of the commit script: the ops for private messages that wait for accounts.
--   V whisper, or keep the message for an account that is away
--   R report: keep the letter, or put it into the session's inbox
--   k collect: hand over some of what waits   x forget what was shown of it
--   h pass a letter on to the node on which its reader resumed

-- Add these ops to the batch's, and their checks to the checks.
local function add_mailbox_ops(OPS, LOOKS, batch)
  local bounds, clock, key, need, post, seat = batch.bounds, batch.clock, batch.key, batch.need, batch.post, batch.seat

  LOOKS['V'] = function(at)
    local _, there = seat(key(at + WHISPER_AWAY.recipient))
    need(there)
  end

  -- Whisper to somebody who is not in the room, or is being handed what waited for him. Returns the outcome, and,
  -- where nothing was kept, how many of the sender's wait.
  local function keep_whisper(at, is_in_room)
    local is_logged_in = is_in_room
    if not is_in_room then
      if not has_account(key(at + WHISPER_AWAY.account)) then return 'u' end
      is_logged_in = redis.call('EXISTS', key(at + WHISPER_AWAY.device)) == 1
      if not is_logged_in and ARGV[at + WHISPER_AWAY.keep] ~= '1' then return 'u' end
    end
    local sender, is_account = ARGV[at + WHISPER_AWAY.key], has_account(key(at + WHISPER_AWAY.own_account))
    local box = pending().box_for(key(at + WHISPER_AWAY.mailbox), key(at + WHISPER_AWAY.senders), sender)
    local is_kept, behind = pending().keep(box, key(at + WHISPER_AWAY.list), ARGV[at + WHISPER_AWAY.nickname],
      sender, is_account, ARGV[at + WHISPER_AWAY.text], bounds, clock)
    if not is_kept then return 'b', behind end
    return is_logged_in and 'd' or 'k'
  end

  OPS['V'] = function(at)
    if seat(key(at + WHISPER_AWAY.nick)) ~= ARGV[at + WHISPER_AWAY.session] then return 'g' end
    local to, outcome, behind = key(at + WHISPER_AWAY.recipient), nil, 0
    local session, there = seat(to)
    if not session or batch.is_collecting(to) then outcome, behind = keep_whisper(at, session) end
    if session and (outcome == 'b' and behind == 0 or not batch.is_collecting(to)) then
      post(there, session, ARGV[at + WHISPER_AWAY.letter])
      outcome = 'd'
    end
    batch.note_answer(ARGV[at + WHISPER_AWAY.token], ARGV[at + WHISPER_AWAY.tag], outcome)
    return outcome
  end

  LOOKS['R'] = function(at)
    local _, there = seat(key(at + REPORT.nick))
    need(there)
  end

  OPS['R'] = function(at)
    local session, there = seat(key(at + REPORT.nick))
    local sender, is_kept = ARGV[at + REPORT.key], has_account(key(at + REPORT.account))
    if is_kept then
      local box = pending().box_for(key(at + REPORT.mailbox), key(at + REPORT.senders), sender)
      local is_account = has_account(key(at + REPORT.own_account))
      -- What waited before it was handed over was acknowledged, and its sender is not told: it has room.
      local room = bounds
      if ARGV[at + REPORT.session] == '' then room = { count = math.huge, sender = math.huge, bytes = math.huge } end
      is_kept = pending().keep(box, key(at + REPORT.list), sender, sender, is_account, ARGV[at + REPORT.text], room,
        clock)
    end
    if is_kept then return 'k' end
    if session ~= ARGV[at + REPORT.session] then return 'g' end
    post(there, session, ARGV[at + REPORT.letter])
    return 'd'
  end

  LOOKS['h'] = function(at)
    local _, there = seat(key(at + PASS_ON.nick))
    need(there)
  end

  OPS['h'] = function(at)
    local session, there = seat(key(at + PASS_ON.nick))
    if session ~= ARGV[at + PASS_ON.session] then return 'g' end
    post(there, session, ARGV[at + PASS_ON.letter], ARGV[at + PASS_ON.at])
    return 'd'
  end

  LOOKS['k'] = function()
    redis.call('LRANGE', batch.inbox, 0, 0)
    redis.call('ZRANGE', batch.members, 0, 0)
  end
  LOOKS['x'] = LOOKS['k']

  OPS['k'] = function(at)
    if not batch.is_kept_written() then return nil end
    local nick, session = key(at + COLLECT.nick), ARGV[at + COLLECT.session]
    if seat(nick) ~= session then return 'g' end
    local names, lists = {}, {}
    local index = string.gmatch(ARGV[at + COLLECT.lists], '%d+')
    for name in string.gmatch(ARGV[at + COLLECT.names], '%S+') do
      names[#names + 1], lists[name] = name, KEYS[tonumber(index())]
    end
    local box = pending().open_box(key(at + COLLECT.mailbox), key(at + COLLECT.senders), unpack(names))
    local nickname = ARGV[at + COLLECT.nickname]
    local is_more = pending().take_oldest(box, lists, names, function(sender, text)
      post(batch.node, session, whispered_event(sender, '', nickname, text))
    end)
    if not is_more then write('HDEL', nick, 'collects') end
    batch.set_collecting(nick, is_more)
    return is_more and 'k' or 'd'
  end

  OPS['x'] = function(at)
    if not batch.is_kept_written() then return nil end
    local sender = ARGV[at + FORGET.sender]
    local box = pending().open_box(key(at + FORGET.mailbox), key(at + FORGET.senders), sender)
    local number, shown = tonumber(ARGV[at + FORGET.number]), tonumber(ARGV[at + FORGET.shown])
    pending().forget(box, key(at + FORGET.list), sender, number, shown)
    return 'd'
  end
end
