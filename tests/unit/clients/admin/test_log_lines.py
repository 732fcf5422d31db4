"""A room's log, for people and for programs."""

from harness.several import several
from tertulia.chat.ports import Entry
from tertulia.clients.admin.log_lines import log_lines
from tertulia.domain.events import Closed, Joined, Left, Muted, Present, Said, Withdrawn
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
        "index": None,
        "value": None,
    }
    assert records[3]["index"] == 0
    assert [it["event"] for it in records] == [
        *("kick", "joined", "present", "said", "left", "closed"),
    ]
    assert records[0]["by"] == "carla"
    assert records[-1]["node"] is None


def test_a_message_of_several_lines_is_one_line_for_people_and_has_them_for_programs() -> None:
    talk = Entry(ENTRY.position, [Said("andy", "one~ab:1", several("one", "two"))], [])
    (line,) = log_lines([talk])
    assert line.line().endswith("andy: one\\ntwo")
    assert line.record()["text"] == "one\ntwo"


def test_what_moderators_do_is_told_once_and_messages_have_places() -> None:
    order = OperatorCommand("1", "anna (moderator)", Action.MUTE, "bruno", "loud", value="60 s")
    events = (
        Said("bruno", "one~1:1", "one"),
        Muted("anna", "one~1:2", "bruno", 0, "loud"),
        Withdrawn("bruno", "one~1:1"),
    )
    lines = list(log_lines([Entry(Position("e", 7, 1.0), events, [order])]))
    assert [it.line(with_place=True).partition("  ")[2] for it in lines] == [
        f"{'':>12}  *** anna (moderator): mute bruno 60 s (loud)",
        f"{'7.0':>12}  bruno: one",
        f"{'7.1':>12}  bruno: [withdrawn by a moderator]",
    ]
    assert [(it.index, it.value) for it in lines] == [(None, "60 s"), (0, None), (1, None)]
