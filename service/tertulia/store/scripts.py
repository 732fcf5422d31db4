"""The Lua scripts: each one a file, with its KEYS and ARGV explained on top."""

from hashlib import sha1
from importlib.resources import files

_LUA = files("tertulia.store") / "lua"


class Script:
    """A script's text, and the name under which Redis keeps it."""

    def __init__(self, *files: str) -> None:
        """Put together libraries and, last, the script."""
        self.text = "".join((_LUA / f"{name}.lua").read_text() for name in ("append", *files))
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


COMMIT = Script("devices", "commit")
REGISTER = Script("register")
SEAT = Script("seat")
CONDEMN = Script("condemn")
BURY = Script("bury")
TAKE_OUT = Script("take_out")
UNWAIT = Script("unwait")
FORGET = Script("forget")
SWEEP = Script("sweep")
