"""The chat's shared state in Redis. The only importer of redis and hiredis."""
