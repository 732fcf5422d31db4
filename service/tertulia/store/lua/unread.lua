-- Library of the scripts that write members down again.

-- Entries, and bytes, that are looked through here, so that a room that talks holds up nobody.
local MOST_UNREAD, MOST_BYTES = 16, 524288
-- Return the events that the writer has not read, or nil where somebody has come or gone in them.
local function unread(log, offset, seen)
  if offset == seen then return '' end
  if offset < seen or offset - seen > MOST_UNREAD then return nil end
  local all, size = {}, 0
  for number = seen + 1, offset do
    local name = string.format('%d-0', number)
    local entry = redis.call('XRANGE', log, name, name)[1]
    if not entry or size > MOST_BYTES then return nil end
    table.insert(all, entry[2][6] or '')
    size = size + #all[#all]
  end
  all = table.concat(all)
  for _, kind in ipairs({ 'joined', 'left', 'closed' }) do
    if string.find(all, '"t":"' .. kind .. '"', 1, true) then return nil end
  end
  return all
end
