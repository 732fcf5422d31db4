"""Sockets to dialects. Knows nothing of the store."""
