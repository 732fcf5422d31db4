"""The level that journald gets with a line, as sd-daemon(3) has it. Without it all lines have one level."""

import os
from collections.abc import Mapping
from typing import Final, TextIO

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""By the names of Python's levels: syslog's numbers."""


def reads(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether journald reads a stream: systemd.exec(5), ``$JOURNAL_STREAM``.

    The variable alone says nothing: a process that inherits it may write elsewhere.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is closed, or no file
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def levelled(text: str, level: str) -> str:
    """Put the level before each line of a text: journald takes each as an entry of its own."""
    head = f"<{_PRIORITIES.get(level, _PRIORITIES['info'])}>"
    return head + text.replace("\n", f"\n{head}")
