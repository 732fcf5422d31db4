"""``tertulia probe``: see the service as people see it."""
