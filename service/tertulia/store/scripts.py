"""The Lua scripts: each one a file, with its KEYS and ARGV explained on top."""

from hashlib import sha1
from importlib.resources import files

_LUA = files("tertulia.store") / "lua"


class Script:
    """A script's text, and the name under which Redis keeps it."""

    def __init__(self, name: str) -> None:
        library = (_LUA / "append.lua").read_text()
        self.name = name
        self.text = library + (_LUA / f"{name}.lua").read_text()
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


COMMIT = Script("commit")
REGISTER = Script("register")
SEAT = Script("seat")
CONDEMN = Script("condemn")
BURY = Script("bury")
FORGET = Script("forget")
SWEEP = Script("sweep")
