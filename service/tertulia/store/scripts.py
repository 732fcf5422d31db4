"""The Lua scripts: each is a file that explains its KEYS and ARGV at the top."""

from importlib.resources import files

from tertulia.redis.script import Script
from tertulia.store.keys import unfinished
from tertulia.store.ops import in_numbers, lengths

_LUA = files("tertulia.store") / "lua"


def script(*files: str, changes: bool = True, head: str = "") -> Script:
    """Put together libraries and, last, a script. ``head`` stands in front.

    ``changes``: the script writes, and what it writes is done as a whole.
    """
    libraries = ("whole", "append") if changes else ()
    text = "".join((_LUA / f"{it}.lua").read_text("utf-8") for it in (*libraries, *files))
    return Script(head + in_numbers(text), unfinished)


PERMITTED = script("permitted", changes=False)
COMMIT = script("lease", "in_use", "pending", "devices", "mailboxes", "commit", head=lengths())
REGISTER = script("lease", "register")
SEAT = script("seat")
SHOW = script("show")
CONDEMN = script("claim", "condemn")
BURY = script("claim", "bury")
TAKE_OUT = script("claim", "take_out")
UNWAIT = script("unwait")
FORGET = script("forget")
SWEEP = script("sweep")
ADD_ACCOUNT = script("add_account")
DELETE_ACCOUNT = script("pending", "delete_account")
REFRESH = script("in_use", "refresh")
SIGN_UP_TURN = script("sign_up_turn")
SWAP = script("swap")
TAKE_BACK = script("pending", "take_back")
MIGRATE = script("pending", "migrate")
ANNOUNCE = script("order", "announce")
EXPEL = script("order", "expel")
BAN = script("order", "ban")
LOG_OUT = script("log_out")
UNBAN = script("order", "unban")
CLOSE = script("order", "close")
