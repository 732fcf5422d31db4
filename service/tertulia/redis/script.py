"""A script that Redis runs as a whole, in the form for each way of publishing."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Form:
    """A script's text, and the name under which Redis keeps it."""

    text: str
    sha: str


class Script:
    """A script, for one server or for a cluster."""

    def __init__(self, text: str, last_key: Callable[[str], str]) -> None:
        """``last_key`` makes, from the first key of a run, the key that is added behind the others."""
        self.plain = _form(text)
        # A message that is published to a shard does not go to the whole cluster.
        self.sharded = _form(text.replace("'PUBLISH'", "'SPUBLISH'"))
        self.last_key = last_key


def _form(text: str) -> Form:
    return Form(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
