"""``tertulia chat``: the chat in a terminal, over the dialect ``browser``. See docs/terminal.md."""
