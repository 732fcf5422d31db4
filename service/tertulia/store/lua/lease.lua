-- Library of the scripts that renew a node's lease.

-- Return the new expiry of a lease of so many milliseconds, by Redis' clock. It differs from the ones before:
-- other nodes take a node for dead whose lease stays the same. They do not look at the clock, which may step or
-- stand still.
local function renewed(was, now, ms)
  local expiry = now + ms
  if was >= expiry and was < expiry + ms then return was + 1 end
  return expiry
end
