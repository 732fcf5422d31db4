"""Webhooks: programs are told of what happens in rooms, by requests to their URLs."""
