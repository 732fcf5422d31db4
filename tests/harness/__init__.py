"""Real servers, real nodes and recording clients, for tests that see the service from outside."""
