-- Library of the scripts that bury a node: one other node at a time has the claim to do it. It is renewed by
-- each step, and runs out by itself: whoever buries may die as well.
--
--   {chat}:node:ID:burial  string: "<who buries> <until when, ms>"; expires

-- Return who has the claim, or nil. One that reaches further than any is from before Redis' clock was set
-- back, and would not run out for as long.
local function claimant(key, now, ms)
  local who, till = string.match(redis.call('GET', key) or '', '^(%S+) ?(%d*)$')
  if who and till ~= '' and tonumber(till) > now + ms then return nil end
  return who
end

local function claim(key, who, now, ms)
  write('SET', key, who .. ' ' .. string.format('%d', now + ms), 'PX', string.format('%d', ms))
end
