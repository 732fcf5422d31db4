"""The way to Redis: links, masters, errors, a server of its own."""
