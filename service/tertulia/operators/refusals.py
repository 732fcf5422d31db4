"""What operators are told where something is not done: on the command line and over the API."""


class CommandRefused(Exception):
    """What an operator asked for was not carried out. The text says why, and what to do."""

    def __init__(self, why: str, command_hint: str = "") -> None:
        """``command_hint``: what else to say to somebody at a command line."""
        super().__init__(f"{why}: {command_hint}" if command_hint else why)
        self.why = why


class NotThere(CommandRefused):
    """There is nobody, or nothing, of that name."""

    def __init__(self, what: str, why: str, command_hint: str = "") -> None:
        """``what``: in a word, like ``room``."""
        super().__init__(why, command_hint)
        self.what = what
