-- What Redis gives to a script, from 6.2 on, as far as ours use it: Lua 5.1 without what reaches out of it.
stds.redis = {
  read_globals = {
    "KEYS", "ARGV",
    cjson = { fields = { "decode", "encode" } },
    cmsgpack = { fields = { "pack", "unpack" } },
    redis = { fields = { "acl_check_cmd", "call", "error_reply", "pcall", "sha1hex" } },
  },
}
std = "lua51+redis"
not_globals = {
  "arg", "coroutine", "debug", "dofile", "io", "loadfile", "module", "os", "package", "print", "require",
}
max_line_length = 130
