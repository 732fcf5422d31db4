"""The HTTP API: a process of its own over Redis, for programs, and for operators without a shell."""
