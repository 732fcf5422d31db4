"""The use cases: sessions, roster, routing, recovery. Knows neither sockets nor Redis."""
