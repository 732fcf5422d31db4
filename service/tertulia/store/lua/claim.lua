-- Library of the scripts that bury a node: one other node at a time has the claim to do it. Each step renews
-- the claim. It expires by itself, for the node that buries may die as well.
--
--   {chat}:node:ID:burial  string: "<who buries> <until when, ms>"; expires

-- Return who has the claim, or nil. A claim that is longer than any can be was made before Redis' clock was set
-- back: it would not expire for as long.
local function claimant(key, now, ms)
  local who, till = string.match(redis.call('GET', key) or '', '^(%S+) ?(%d*)$')
  if who and till ~= '' and tonumber(till) > now + ms then return nil end
  return who
end

local function claim(key, who, now, ms)
  write('SET', key, who .. ' ' .. string.format('%d', now + ms), 'PX', string.format('%d', ms))
end
