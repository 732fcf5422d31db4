-- Library: when an account was last used. The time is in whole days, so that coming and going costs no write.

local USE_MS = 86400000

local function note_use(account, now)
  local since, used = unpack(redis.call('HMGET', account, 'since', 'used'))
  if since and now - tonumber(used or since) >= USE_MS then
    write('HSET', account, 'used', string.format('%d', now))
  end
end
