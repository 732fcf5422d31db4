"""The chat's languages: bytes to commands, events to bytes.

Sans-IO: nothing here awaits, opens, or reads a clock. Dialects don't import each other.
"""
