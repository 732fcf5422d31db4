"""What a person reads about a chat."""

from harness.cases import each
from tertulia.clients.device import notices
from tertulia.clients.device.effects import Came, Parting, SharesAddress, Slowed, TurnedAway, Went
from tertulia.clients.device.notices import SHOWN_ONLINE


@each(
    ("effect", "read"),
    [
        (Came("bob", group=True), "bob is in the chat."),
        (
            Came("bob", group=True, again=True),
            "bob has come again; the connection that it had is closed.",
        ),
        (Went("bob", Parting.LEFT), "bob left the chat."),
        (Went("bob", Parting.BROKE), "bob is gone: the connection broke."),
        (Went("bob", Parting.GARBLED), "bob was dropped: it sent what no device sends."),
        (Went("bob", Parting.SILENT), "bob was dropped: it did not say in time who it is."),
        (
            Went("bob", Parting.UNREACHABLE),
            "bob could not be reached, and reads nothing of what you write.",
        ),
        (
            Went("bob", Parting.UNPLACED, "the service does not say in time"),
            "bob's device can't be told from a stranger's: the service does not say in time.",
        ),
        (Went("bob", Parting.TOO_MUCH), "bob was dropped: it said more than 16 MiB in this chat."),
        (Went("bob", Parting.DEAF), "bob was dropped: its device does not read what you write."),
        (
            TurnedAway("10.0.0.9", "bob", Parting.OFTEN),
            "Somebody at 10.0.0.9 dialled, as bob, and was hung up on: it comes and goes too often.",
        ),
        (
            TurnedAway("10.0.0.9", "", Parting.GARBLED),
            "Somebody at 10.0.0.9 dialled and was hung up on: it sent what no device sends.",
        ),
        (
            TurnedAway("10.0.0.9", "", Parting.SILENT),
            "Somebody at 10.0.0.9 dialled and was hung up on: it did not say in time who it is.",
        ),
        (
            TurnedAway("10.0.0.9", "bob", Parting.UNPLACED, "the service does not say"),
            "Somebody at 10.0.0.9 dialled, as bob, and was hung up on: the service does not say.",
        ),
        (
            TurnedAway("10.0.0.9", "bob", Parting.ELSEWHERE, "10.0.0.7"),
            "Somebody at 10.0.0.9 dialled, as bob, and was hung up on: the service says that bob's "
            "device is at 10.0.0.7.",
        ),
        (
            TurnedAway("10.0.0.9", "", Parting.CROWD, is_last=True),
            "Somebody at 10.0.0.9 dialled and was hung up on: too many connections come. No more of "
            "them are told in this chat.",
        ),
        (
            TurnedAway("10.0.0.9", "bob", Parting.FULL),
            "Somebody at 10.0.0.9 dialled, as bob, and was hung up on: the chat is full.",
        ),
        (
            SharesAddress("bob", "10.0.0.7"),
            "Somebody else dialled from bob's address, 10.0.0.7. Where several people share one, nothing "
            "tells which of them is bob: ask what only bob knows.",
        ),
        (Slowed("bob"), "bob says a lot at once: you will read it bit by bit."),
    ],
)
def test_each_event_is_told(
    effect: Came | Went | TurnedAway | SharesAddress | Slowed, read: str
) -> None:
    assert notices.told(effect) == read


def test_the_partner_s_coming_says_how_to_leave() -> None:
    assert notices.came(Came("bob", group=False)).startswith("bob is here: you talk directly now.")
    assert notices.came(Came("bob", group=True, again=True)).startswith("bob has come again")


def test_who_is_online_is_a_line_that_a_person_can_read() -> None:
    assert notices.online(["bob", "carol"]) == "Online: bob, carol"
    names = [f"user{number}" for number in range(SHOWN_ONLINE + 20_000)]
    line = notices.online(names)
    assert line.endswith(f"user{SHOWN_ONLINE - 1}, and 20000 more")
    assert len(line) < 2000
