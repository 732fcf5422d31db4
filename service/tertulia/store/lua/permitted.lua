-- Tell which commands Redis would refuse. Where Redis can't be asked, the script tries them: they do nothing.
--
-- KEYS  1 a key that is nobody's
-- ARGV  1 commands with their arguments, JSON: the first one makes the key, the last ones remove it
-- Returns the names of those that are refused, in the order in which they came

local refused = {}
for _, command in ipairs(cjson.decode(ARGV[1])) do
  local allowed
  if redis.acl_check_cmd then
    allowed = redis.acl_check_cmd(unpack(command))
  else  -- Redis 6.2
    local reply = redis.pcall(unpack(command))
    allowed = type(reply) ~= 'table' or not string.find(reply.err or '', "The user executing the script can't", 1, true)
  end
  if not allowed then table.insert(refused, command[1]) end
end
return refused
