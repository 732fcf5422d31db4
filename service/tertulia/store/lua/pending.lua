-- Library: messages that wait for accounts, a list for each sender.
--
--   {chat}:pending:NICK:SENDER  list: a sender's messages, oldest first, each "<number> <ms>
--                        <1: an account's, 0: a guest's> <sender as shown> <text>"; numbers ascend over all
--                        lists of a NICK
--   {chat}:mailbox:NICK  hash: sender, folded → "<messages> <bytes> <bytes of a guest> <ms of the last> <bytes
--                        of the oldest that were shown> <sender as shown>"; and
--                        '' → "<last number> <messages> <bytes> <bytes of guests>". Expires when empty
--   {chat}:senders:NICK  zset: sender, folded → number of its oldest message
--   {chat}:meta          hash, KEYS[1]: pending, how many messages wait in all; collecting, until when, ms,
--                        somebody in the room may collect (the hash of that nickname has collects then)

local MESSAGE_BYTES, SENDER_BYTES = 64, 512  -- what Redis takes for each, beside the text: decision 23
local MOST_TAKEN, MOST_BYTES = 100, 65536    -- what is handed over at once
-- A device may close long after it was shown something: till then no other message has that one's number.
local EMPTY_MS = 3600000
local COLLECTING_MS = 60000  -- between two steps of handing over

local function digits(number)
  return string.format('%d', number)
end

-- A letter as domain/events.py has it, for texts that were kept as they are.
local function whispered_event(sender, session, recipient, text)
  return '{"t":"whispered","n":"' .. sender .. '","s":"' .. session .. '","r":'
    .. cjson.encode(recipient) .. ',"x":' .. cjson.encode(text) .. '}'
end

-- What there is to do with mailboxes. Most batches have to do with none, and functions take a moment to be made.
local made
local function pending()
  if made then return made end
  local function read_line(line, name)
    if not line then
      return { messages = 0, bytes = 0, guests = 0, at = '0', shown = 0, nickname = name }
    end
    local own, size, guest, at, shown, nickname = string.match(line, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
    return {
      messages = tonumber(own), bytes = tonumber(size), guests = tonumber(guest), at = at, shown = tonumber(shown),
      nickname = nickname,
    }
  end

  -- Read the line of a mailbox for all, and those of some senders.
  local function open_box(mailbox, senders, ...)
    local found = redis.call('HMGET', mailbox, '', ...)
    local box = { mailbox = mailbox, senders = senders, of = {}, last = 0, messages = 0, bytes = 0, guests = 0 }
    if found[1] then
      local last, messages, bytes, guests = string.match(found[1], '^(%d+) (%d+) (%d+) (%d+)$')
      box.last, box.messages = tonumber(last), tonumber(messages)
      box.bytes, box.guests = tonumber(bytes), tonumber(guests)
    end
    for index = 1, select('#', ...) do
      local name = select(index, ...)
      box.of[name] = read_line(found[index + 1], name)
    end
    return box
  end

  -- A count may be too small where something was lost: it is never less than nothing.
  local function counted(number)
    return number > 0 and number or 0
  end

  local function line_for_all(box)
    return digits(box.last) .. ' ' .. counted(box.messages) .. ' ' .. counted(box.bytes) .. ' ' .. counted(box.guests)
  end

  local function line_of(its)
    return counted(its.messages) .. ' ' .. counted(its.bytes) .. ' ' .. counted(its.guests) .. ' ' .. its.at .. ' '
      .. its.shown .. ' ' .. its.nickname
  end

  -- Count a message, or one that goes (by: -1).
  local function count(box, its, size, is_account, by)
    box.messages, its.messages = box.messages + by, its.messages + by
    box.bytes, its.bytes = box.bytes + by * size, its.bytes + by * size
    if not is_account then
      box.guests, its.guests = box.guests + by * size, its.guests + by * size
    end
  end

  -- Count all that a sender has left as gone.
  local function count_out(box, its)
    box.messages, box.bytes, box.guests = box.messages - its.messages, box.bytes - its.bytes, box.guests - its.guests
  end

  -- Write down what was taken out of a mailbox, so many messages; oldest: sender → number of its oldest now, or
  -- false where nothing of it is left.
  local function save_box(box, oldest, taken)
    local lines, scores, gone = {}, {}, {}
    for name, number in pairs(oldest) do
      if number then
        lines[#lines + 1], lines[#lines + 2] = name, line_of(box.of[name])
        scores[#scores + 1], scores[#scores + 2] = digits(number), name
      else
        gone[#gone + 1] = name
      end
    end
    if #gone > 0 then
      write('HDEL', box.mailbox, unpack(gone))
      write('ZREM', box.senders, unpack(gone))
    end
    if #scores > 0 then write('ZADD', box.senders, unpack(scores)) end
    write('HSET', box.mailbox, '', line_for_all(box), unpack(lines))
    if box.messages <= 0 then write('PEXPIRE', box.mailbox, EMPTY_MS) end
    if taken ~= 0 then write('HINCRBY', KEYS[1], 'pending', -taken) end
  end

  -- What is kept in a batch is written at its end, or before anybody looks: {sender, list, items…} for each list.
  local boxes, kept = {}, {}

  local function box_for(mailbox, senders, sender)
    local box = boxes[mailbox]
    if not box then
      box = open_box(mailbox, senders, sender)
      box.is_new = box.messages == 0
      boxes[mailbox] = box
    elseif not box.of[sender] then
      box.of[sender] = read_line(redis.call('HGET', mailbox, sender), sender)
    end
    return box
  end

  -- Keep a message. Where its bounds would be passed, nothing is done: returns false, and how many of the sender's
  -- wait.
  local function keep(box, list, nickname, sender, is_account, text, bounds, clock)
    local its, size = box.of[sender], #text + MESSAGE_BYTES
    if its.messages == 0 then size = size + SENDER_BYTES end
    local is_full = box.messages > 0
      and (box.bytes + size > bounds.bytes or not is_account and box.guests + size > bounds.bytes / 2)
    if is_full or its.messages >= bounds.count or its.messages > 0 and its.bytes + size > bounds.sender then
      return false, its.messages
    end
    box.last = math.max(box.last + 1, clock.now)
    if its.messages == 0 then its.first = box.last end
    count(box, its, size, is_account, 1)
    its.at, its.nickname = clock.ms, nickname
    local items = kept[list]
    if not items then
      items = { box = box, sender = sender }
      kept[list] = items
    end
    items[#items + 1] = digits(box.last) .. ' ' .. clock.ms .. (is_account and ' 1 ' or ' 0 ') .. nickname .. ' ' .. text
    return true
  end

  local function save_kept()
    local total = 0
    for list, items in pairs(kept) do
      local box, its = items.box, items.box.of[items.sender]
      if box.is_new then write('DEL', box.mailbox) end  -- and that it expires
      box.is_new, total = false, total + #items
      write('RPUSH', list, unpack(items))
      if its.first then write('ZADD', box.senders, digits(its.first), items.sender) end
      write('HSET', box.mailbox, '', line_for_all(box), items.sender, line_of(its))
    end
    if total > 0 then write('HINCRBY', KEYS[1], 'pending', total) end
    boxes, kept = {}, {}
  end

  -- Return a function that gives the messages of a list, one after the other.
  local function reading(list)
    local page, at, from, size = {}, 1, 0, 1
    return function()
      if at > #page and size > 0 then
        page, at = redis.call('LRANGE', list, from, from + size - 1), 1
        from = from + #page
        size = #page == size and math.min(2 * size, 16) or 0
      end
      local number, _, kind, nickname, text = string.match(page[at] or '', '^(%d+) (%d+) (%d) (%S+) (.*)$')
      at = at + 1
      return number and { number = tonumber(number), is_account = kind == '1', nickname = nickname, text = text }
    end
  end

  -- Forget what was shown of a sender: all up to a number, or, of the oldest, so many bytes where those are not 0.
  local function forget(box, list, sender, number, shown)
    local its, following, taken = box.of[sender], reading(list), 0
    local it = following()
    if shown > 0 then
      if it and it.number == number and shown > its.shown then
        its.shown = shown
        write('HSET', box.mailbox, sender, line_of(its))
      end
      return
    end
    while it and it.number <= number do
      count(box, its, #it.text + MESSAGE_BYTES, it.is_account, -1)
      taken, it = taken + 1, following()
    end
    if taken == 0 then return end
    its.shown = 0
    if not it then count_out(box, its) end
    write('LTRIM', list, taken, -1)
    save_box(box, { [sender] = it and it.number or false }, taken)
  end

  -- Take out the oldest messages of some senders, in the order in which they came, up to a bound, or up to the first
  -- of a sender who is not among them; lists: sender → list. Calls give(nickname, text). Returns whether any is left.
  local function take_oldest(box, lists, names, give)
    local ranked = redis.call('ZRANGE', box.senders, 0, #names, 'WITHSCORES')
    local heads, limit = {}, math.huge
    for at = 1, #ranked, 2 do
      local name, number = ranked[at], tonumber(ranked[at + 1])
      if not lists[name] then
        limit = number
        break
      end
      heads[#heads + 1] = { name = name, number = number, taken = 0 }
    end
    local oldest, given, size, lost = {}, 0, 0, 0
    while heads[1] and heads[1].number < limit and given < MOST_TAKEN and size < MOST_BYTES do
      local head = heads[1]
      local its = box.of[head.name]
      head.following = head.following or reading(lists[head.name])
      local it = head.it or head.following()
      if it then
        count(box, its, #it.text + MESSAGE_BYTES, it.is_account, -1)
        give(it.nickname, string.sub(it.text, its.shown + 1))
        head.taken, its.shown, given, size = head.taken + 1, 0, given + 1, size + #it.text
        head.it = head.following()
      end
      oldest[head.name] = head.it and head.it.number or false
      if head.it then
        head.number = head.it.number
        local at = 1
        while heads[at + 1] and heads[at + 1].number < head.number do
          heads[at], at = heads[at + 1], at + 1
        end
        heads[at] = head
      else
        lost = lost + its.messages  -- none, but where a list was lost
        count_out(box, its)
        table.remove(heads, 1)
      end
      its.taken = head.taken
    end
    for name in pairs(oldest) do write('LTRIM', lists[name], box.of[name].taken, -1) end
    if next(oldest) then save_box(box, oldest, given + lost) end
    return heads[1] ~= nil or limit < math.huge
  end

  made = {
    open_box = open_box, box_for = box_for, save_box = save_box, count = count, count_out = count_out, keep = keep,
    save_kept = save_kept, forget = forget, take_oldest = take_oldest,
  }
  return made
end
