-- Library of the scripts that renew a node's lease.

-- Return what a lease is to be, for so many milliseconds by Redis' clock. It differs from what it was, and
-- from what it was a moment ago: others take a node for dead whose lease stays the same, and do not ask the
-- clock, which may step, or stand still.
local function renewed(was, now, ms)
  local expiry = now + ms
  if was >= expiry and was < expiry + ms then return was + 1 end
  return expiry
end
