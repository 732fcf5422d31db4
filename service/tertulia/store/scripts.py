"""The Lua scripts: each is a file that explains its KEYS and ARGV at the top."""

from functools import cache
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
    return Script(head + "".join(map(_part, (*libraries, *files))), unfinished)


@cache  # most parts are in many scripts
def _part(name: str) -> str:
    return in_numbers((_LUA / f"{name}.lua").read_text("utf-8"))


PERMITTED = script("permitted", changes=False)
COMMIT = script(
    "lease", "in_use", "pending", "devices", "mailboxes", "moderation", "speech", "restraints",
    "commit", head=lengths(),
)  # fmt: skip
REGISTER = script("lease", "epochs", "register")
ROOM_COMMIT = script(
    "moderation", "speech", "restraints", "room_commit", head=_part("room_talk") + lengths()
)
ROOM_REGISTER = script("epochs", "room_register")
SEAT = script("unread", "seat")
ROOM_SEAT = script("unread", "room_seat")
OPEN_ROOMS = script("open_rooms")
CONDEMN_ROOM = script("condemn_room")
BURY_IN_ROOM = script("bury_in_room")
FORGET_ROOM = script("forget_room")
FORGET_ROOMS = script("forget_rooms")
SHOW = script("show")
CONDEMN = script("claim", "condemn")
BURY = script("claim", "bury")
TAKE_OUT = script("claim", "take_out")
UNWAIT = script("unwait")
FORGET = script("forget")
SWEEP = script("sweep")
ADD_ACCOUNT = script("add_account")
OWN_ACCOUNT = script("own_account")
DELETE_ACCOUNT = script("pending", "delete_account")
REFRESH = script("in_use", "refresh")
SIGN_UP_TURN = script("sign_up_turn")
SWAP = script("swap")
TAKE_BACK = script("pending", "take_back")
MIGRATE = script("pending", "migrate")
ANNOUNCE = script("operator_command", "announce")
EXPEL = script("operator_command", "expel")
EXPEL_SEAT = script("operator_command", "expel_seat")
BAN = script("operator_command", "ban")
LOG_OUT = script("log_out")
UNBAN = script("operator_command", "unban")
CLOSE = script("operator_command", "close")
MODERATE = script("operator_command", "moderation", "moderate")
LASTING = script("operator_command", "lasting")
WEBHOOK_LEASE = script("webhook_lease")
WEBHOOK_STEP = script("webhook_step")
POST = script("speech", "post")
