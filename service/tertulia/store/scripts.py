"""The Lua scripts: each one a file, with its KEYS and ARGV explained on top."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

_LUA = files("tertulia.store") / "lua"


@dataclass(frozen=True, slots=True)
class Form:
    """A script's text, and the name under which Redis keeps it."""

    text: str
    sha: str


class Script:
    """A script, in the form for each way of publishing."""

    def __init__(self, *files: str, changes: bool = True) -> None:
        """Put together libraries and, last, the script. ``changes``: it writes, and is done as a whole."""
        libraries = ("whole", "append") if changes else ()
        text = "".join((_LUA / f"{it}.lua").read_text("utf-8") for it in (*libraries, *files))
        self.plain = _form(text)
        # What is published to a shard does not go round the whole cluster.
        self.sharded = _form(text.replace("'PUBLISH'", "'SPUBLISH'"))


def _form(text: str) -> Form:
    return Form(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


PERMITTED = Script("permitted", changes=False)
COMMIT = Script("lease", "in_use", "pending", "devices", "commit")
REGISTER = Script("lease", "register")
SEAT = Script("seat")
SHOW = Script("show")
CONDEMN = Script("claim", "condemn")
BURY = Script("claim", "bury")
TAKE_OUT = Script("claim", "take_out")
UNWAIT = Script("unwait")
FORGET = Script("forget")
SWEEP = Script("sweep")
ADD_ACCOUNT = Script("add_account")
DELETE_ACCOUNT = Script("pending", "delete_account")
REFRESH = Script("in_use", "refresh")
SIGN_UP_TURN = Script("sign_up_turn")
SWAP = Script("swap")
TAKE_BACK = Script("pending", "take_back")
MIGRATE = Script("pending", "migrate")
ANNOUNCE = Script("order", "announce")
EXPEL = Script("order", "expel")
BAN = Script("order", "ban")
LOG_OUT = Script("log_out")
UNBAN = Script("order", "unban")
CLOSE = Script("order", "close")
