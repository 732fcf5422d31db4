"""The dialects: bytes to commands, events to bytes.

Sans-IO: nothing here awaits, opens files or sockets, or reads a clock. Dialects don't import each other.
"""
