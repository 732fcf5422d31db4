"""A room's log, for people and for programs."""

from tertulia.chat.ports import Entry
from tertulia.clients.admin.log_lines import log_lines
from tertulia.domain.events import Closed, Joined, Left, Present, Said
from tertulia.domain.operator_commands import Action, OperatorCommand
from tertulia.domain.position import Position

KICK = OperatorCommand("7f", "carla", Action.KICK, "andy", "too\x1b loud")
ENTRY = Entry(
    Position("e", 7, 1_795_222_515.007),
    [
        Joined("andy", "one~ab:1", "chatte"),
        Present("betty", "two~cd:1", "browser"),
        Said("andy", "one~ab:1", "hi\x1b[2J"),
        Left("andy", "one~ab:1"),
        Closed("G", "-"),
    ],
    [KICK],
)


def test_for_people() -> None:
    lines = [it.line().partition("  ")[2] for it in log_lines([ENTRY])]
    assert lines == [
        "*** carla: kick andy (too\\x1b loud)",
        "--> andy came (chatte, one)",
        "--> betty is here (browser, two)",
        "andy: hi\\x1b[2J",
        "<-- andy went",
        "*** G closed the chat",
    ]


def test_for_programs() -> None:
    records = [it.record() for it in log_lines([ENTRY])]
    assert records[1] == {
        "at": "2026-11-21T00:55:15.007Z",
        "offset": 7,
        "event": "joined",
        "nickname": "andy",
        "node": "one",
        "dialect": "chatte",
        "text": "",
        "by": None,
    }
    assert [it["event"] for it in records] == [
        *("kick", "joined", "present", "said", "left", "closed"),
    ]
    assert records[0]["by"] == "carla"
    assert records[-1]["node"] is None
