"""The full screen of ``tertulia chat``, made with Textual. Everything here is drawn from a ``Talk``."""
