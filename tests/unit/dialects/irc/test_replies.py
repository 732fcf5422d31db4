"""The dialect ``irc``, what one client reads: its welcome, its answers, its private messages."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from harness.several import several
from tertulia.dialects.contract import (
    AccountAction,
    AccountAnswer,
    AccountOutcome,
    ModerationFault,
    Nicknames,
    Refusal,
    Replies,
    Restraint,
    RoomFault,
    Welcome,
    Why,
)
from tertulia.dialects.irc import replies as module
from tertulia.dialects.irc.capabilities import NO_CAPABILITY, Capability
from tertulia.dialects.irc.client import (
    IrcClient,
    IrcServer,
    PendingAnswer,
    PendingJoin,
    PendingList,
)
from tertulia.dialects.irc.encoder import IrcEncoder, voice
from tertulia.dialects.irc.replies import IrcReplies
from tertulia.domain.commands import Fault, Faulty
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.events import Muted, Said, Tagged, TaggedAlone, Undelivered, Whispered
from tertulia.domain.moderation import Standing
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position
from tertulia.domain.rooms import MOST_LISTED, RoomInfo
from tertulia.domain.text import clean

AT = 1_700_000_000.123
TIME = "time=2023-11-14T22:13:20.123Z"
HERE = Position("abc", 7, AT)
OWN = ":anna!anna@tertulia"
LABELS = Capability.LABELED_RESPONSE | Capability.BATCH
ECHO = Capability.ECHO_MESSAGE


def client_of(
    capabilities: Capability = NO_CAPABILITY, server: IrcServer | None = None, *, rooms: str = "ops"
) -> IrcClient:
    """A client that is in the chat, in the lobby and in some rooms."""
    it = IrcClient(server or IrcServer(), "anna", "5:1", capabilities=capabilities)
    it.is_registered = True
    it.rooms = {"", *rooms.split()}
    return it


def lines(text: bytes) -> list[str]:
    assert text == b"" or text.endswith(b"\r\n")
    return text.decode().split("\r\n")[:-1]


def all_lines(pieces: Sequence[bytes]) -> list[str]:
    return lines(b"".join(pieces))


def welcome(*others: str, standing: Standing | None = None, is_account: bool = False) -> Welcome:
    return Welcome(
        "anna",
        iter(others),
        HERE,
        "n~5:1",
        "",
        is_account=is_account,
        standing=standing or Standing(),
        people=lambda: [Nicknames([*others, "anna"])],
    )


# --- Coming in ----------------------------------------------------------------------------------


def test_the_welcome() -> None:
    client = IrcClient(IrcServer(version="1.2"))
    replies: Replies = IrcReplies(client, voice)
    told = lines(replies.welcome(welcome("bruno", "Carla")))
    verbs = " ".join([line.split(" ")[1] for line in told])
    assert verbs == "001 002 003 004 005 005 251 252 255 265 266 422 JOIN 353 366"
    assert told[0] == ":tertulia 001 anna :Welcome to the tertulia network, anna!anna@tertulia"
    assert told[1] == ":tertulia 002 anna :Your host is tertulia, running version tertulia-1.2"
    assert told[3] == ":tertulia 004 anna tertulia tertulia-1.2 o mnoqt :oq"
    assert told[6] == ":tertulia 251 anna :There are 3 users and 0 invisible on 1 servers"
    assert told[-3:] == [
        f"{OWN} JOIN #lobby",
        ":tertulia 353 anna = #lobby :bruno Carla anna",
        ":tertulia 366 anna #lobby :End of /NAMES list",
    ]
    assert (client.nickname, client.session, client.rooms) == ("anna", "5:1", {""})


def tokens(told: list[str]) -> dict[str, str]:
    words = [line.partition(" 005 anna ")[2].partition(" :")[0] for line in told if " 005 " in line]
    return dict(it.partition("=")[::2] for it in " ".join(words).split())


def test_what_the_server_says_of_itself() -> None:
    told = lines(IrcReplies(IrcClient(IrcServer()), voice).welcome(welcome()))
    said = tokens(told)
    assert said["PREFIX"] == "(o)@"
    assert said["CHANMODES"] == "q,,,mnt"
    assert said["CASEMAPPING"] == "ascii"
    assert (said["CHATHISTORY"], said["MSGREFTYPES"]) == ("100", "msgid,timestamp")
    assert "UTF8ONLY" in said
    assert "CLIENTTAGDENY" not in said
    assert all(len(line.split(" ")) <= 20 for line in told)
    assert all(line.count(" ", 0, line.index(" :", 1)) <= 15 for line in told if " 005 " in line)
    without = tokens(lines(IrcReplies(IrcClient(IrcServer(history=0)), voice).welcome(welcome())))
    assert set(said) - set(without) == {"CHATHISTORY", "MSGREFTYPES"}


def test_the_lobby_is_not_joined_where_it_is_set_otherwise() -> None:
    client = IrcClient(IrcServer(joins_lobby=False, lobby="main"))
    replies = IrcReplies(client, voice)
    told = lines(replies.welcome(welcome("bruno", standing=Standing(slow=5))))
    assert told[-1] == ":tertulia 422 anna :There is no message of the day"
    assert client.rooms == set()
    assert replies.standing(Standing(slow=5)) == ()
    client.joins[""] = deque([PendingJoin()])
    assert lines(replies.shown(welcome("bruno", standing=Standing(slow=5)))) == [
        f"{OWN} JOIN #main",
        ":tertulia 353 anna = #main :bruno anna",
        ":tertulia 366 anna #main :End of /NAMES list",
        ":tertulia NOTICE #main :Slow mode: one message each in 5 seconds",
    ]
    assert client.rooms == {""}
    assert lines(replies.hidden()) == [f"{OWN} PART #main"]
    assert client.rooms == set()
    replies.shown(welcome())
    assert lines(replies.hidden("see you")) == [f"{OWN} PART #main :see you"]


def test_a_further_room() -> None:
    client = client_of(Capability.SERVER_TIME | Capability.EXTENDED_JOIN, rooms="")
    client.is_account = True
    client.user, client.realname = "a", "Anna B."
    standing = Standing(topic="Tea", moderators=("bruno",), owner="anna", slow=5)
    replies = IrcReplies(client, voice).in_room("ops")
    assert lines(replies.welcome(welcome("Bruno", "carla", standing=standing))) == [
        f"@{TIME} {OWN} JOIN #ops anna :Anna B.",
        ":tertulia 332 anna #ops :Tea",
        ":tertulia 353 anna = #ops :@Bruno carla @anna",
        ":tertulia 366 anna #ops :End of /NAMES list",
    ]
    assert "ops" in client.rooms
    assert all_lines(replies.standing(standing)) == [
        ":tertulia NOTICE #ops :Slow mode: one message each in 5 seconds"
    ]
    mute = Muted("bruno", "", "anna", 0, "spam")
    assert all_lines(replies.standing(Standing(topic="Tea", mute=mute))) == [
        ":tertulia NOTICE #ops :You are muted: spam"
    ]


def test_the_answer_to_a_labelled_join_is_a_batch() -> None:
    client = client_of(LABELS, rooms="")
    client.joins["ops"] = deque([PendingJoin("L1")])
    assert lines(IrcReplies(client, voice, "ops").welcome(welcome())) == [
        "@label=L1 :tertulia BATCH +answer labeled-response",
        f"@batch=answer {OWN} JOIN #ops",
        "@batch=answer :tertulia 353 anna = #ops :anna",
        "@batch=answer :tertulia 366 anna #ops :End of /NAMES list",
        ":tertulia BATCH -answer",
    ]
    assert client.joins == {}


def test_the_answer_to_a_join_of_several_rooms_is_one_batch_in_any_order() -> None:
    client = client_of(LABELS, rooms="")
    a, b, c = (IrcReplies(client, voice, it) for it in "abc")
    client.share("L", 3)
    client.joins = {it: deque([PendingJoin("L")]) for it in "abc"}
    refusal = "@batch=answer-1 :tertulia 405 anna #b :You have joined too many channels"
    assert b.not_joined(RoomFault.TOO_MANY_ROOMS) == b""
    told = [f"@batch=answer-1 {OWN} JOIN #c", refusal, ":tertulia BATCH -answer-1"]
    assert lines(a.welcome(welcome()))[:2] == [
        "@label=L :tertulia BATCH +answer-1 labeled-response",
        f"@batch=answer-1 {OWN} JOIN #a",
    ]
    last = lines(c.welcome(welcome()))
    assert [last[0], *last[-2:]] == told
    assert (client.joins, client.shared) == ({}, {})


def test_names_with_their_hosts() -> None:
    replies = IrcReplies(client_of(Capability.USERHOST_IN_NAMES, rooms=""), voice, "ops")
    standing = Standing(moderators=("bruno",))
    names = lines(replies.welcome(welcome("bruno", standing=standing)))[1]
    assert names == ":tertulia 353 anna = #ops :@bruno!bruno@tertulia anna!anna@tertulia"


def test_many_names_are_many_lines() -> None:
    others = [f"somebody-{number}" for number in range(1000)]
    names = lines(IrcReplies(client_of(), voice).shown(welcome(*others)))[1:-1]
    head = ":tertulia 353 anna = #lobby :"
    assert all(line.startswith(head) and len(line) <= 510 for line in names)
    found = [it for line in names for it in line.removeprefix(head).split(" ")]
    assert found == [*others, "anna"]


def test_names_are_put_together_once_for_all_who_read_them_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    def counted(*given: Any) -> list[str]:
        made.append(len(given[-1]))
        return named(*given)

    named = module._named
    monkeypatch.setattr(module, "_named", counted)
    part = Nicknames(f"somebody-{number}" for number in range(200))
    read: list[list[str]] = []
    for nickname, moderators in (("anna", ()), ("b" * 32, ()), ("anna", ("somebody-7",))):
        greeted = Welcome(
            nickname, (), HERE, "n~5:1", "", standing=Standing(moderators=moderators),
            people=lambda: [part],
        )  # fmt: skip
        told = lines(IrcReplies(IrcClient(IrcServer()), voice).welcome(greeted))
        assert all(len(line) <= 510 for line in told)
        names = [line for line in told if f" 353 {nickname} " in line]
        read.append([line.partition(" :")[2] for line in names])
        assert " ".join(read[-1]).replace("@", "").split(" ") == [*part.nicknames]
    plain, others, marked = read
    assert plain == others
    assert " @somebody-7 " in marked[0]
    assert made == [200, 200]


def test_a_long_topic_goes_on_in_a_notice() -> None:
    standing = Standing(topic="x" * 500)
    told = lines(IrcReplies(client_of(), voice, "ops").welcome(welcome(standing=standing)))
    head, more = ":tertulia 332 anna #ops :", ":tertulia NOTICE #ops :… "
    assert told[1].removeprefix(head) + told[2].removeprefix(more) == "x" * 500


@each(
    ("fault", "told"),
    [
        (RoomFault.INVALID_ROOM, [":tertulia 403 anna #ops :No such channel"]),
        (RoomFault.TOO_MANY_ROOMS, [":tertulia 405 anna #ops :You have joined too many channels"]),
        (
            RoomFault.NO_ROOM_LEFT,
            [":tertulia 403 anna #ops :No such channel, and no other can be made now"],
        ),
        (RoomFault.FULL, [":tertulia 471 anna #ops :Cannot join channel (+l)"]),
        (RoomFault.NOT_IN_ROOM, [":tertulia 442 anna #ops :You're not on that channel"]),
        (RoomFault.ALREADY_THERE, []),
    ],
)
def test_who_cannot_come_in(fault: RoomFault, told: list[str]) -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    assert lines(replies.not_joined(fault)) == told
    asked = client.joins["ops"] = deque([PendingJoin("L")])
    labelled = [f"@label=L {line}" for line in told or [":tertulia ACK"]]
    is_of_an_act = fault is RoomFault.NOT_IN_ROOM
    assert lines(replies.not_joined(fault)) == (told if is_of_an_act else labelled)
    assert client.joins == ({"ops": asked} if is_of_an_act else {})


def test_who_moderates_where_they_are_not_is_answered_in_turn() -> None:
    client = client_of(LABELS)
    for label, room in (("1", None), ("2", "dev"), ("3", "ops"), ("4", "ops")):
        client.number(PendingAnswer(label, acts_in=room))
    not_there = ":tertulia 442 anna #ops :You're not on that channel"
    replies = IrcReplies(client, voice, "ops")
    for told in (f"@label=3 {not_there}", f"@label=4 {not_there}", not_there):
        assert lines(replies.not_joined(RoomFault.NOT_IN_ROOM)) == [told]
    assert list(client.pending) == [1, 2]


def test_a_name_that_is_none_does_no_harm() -> None:
    for name in ("o p", ":x", "", "a\r\nQUIT", "x" * 900):
        (line,) = lines(IrcReplies(client_of(), voice, name).not_joined(RoomFault.INVALID_ROOM))
        assert line.startswith(":tertulia 403 anna ")
        assert len(line) <= 510


def test_who_parts() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    client.joins["ops"] = deque([PendingJoin("L", is_part=True)])
    assert lines(replies.parted(Disconnect.LEFT)) == [f"@label=L {OWN} PART #ops"]
    assert (client.rooms, client.joins) == ({""}, {})
    not_there = [":tertulia 442 anna #ops :You're not on that channel"]
    assert lines(replies.parted(Disconnect.LEFT)) == not_there
    assert lines(replies.parted(Disconnect.LEFT, "see you")) == not_there


def test_who_parts_reads_the_own_words() -> None:
    client = client_of(LABELS)
    client.joins["ops"] = deque([PendingJoin("L", is_part=True)])
    told = IrcReplies(client, voice, "ops").parted(Disconnect.LEFT, "see\u2028you")
    assert lines(told) == [f"@label=L {OWN} PART #ops :see⏎you"]


def test_each_command_has_its_own_label() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    again = [PendingJoin("1", is_part=True), PendingJoin("2")]
    client.joins["ops"] = deque(again)
    assert lines(replies.parted(Disconnect.LEFT)) == [f"@label=1 {OWN} PART #ops"]
    client.joins["ops"].append(PendingJoin("3"))
    assert lines(replies.not_joined(RoomFault.ALREADY_THERE)) == ["@label=3 :tertulia ACK"]
    assert lines(replies.welcome(welcome()))[0] == (
        "@label=2 :tertulia BATCH +answer labeled-response"
    )
    assert client.joins == {}


def test_who_joins_twice_is_answered_twice_and_who_parts_twice_once() -> None:
    client = client_of(LABELS, rooms="")
    replies = IrcReplies(client, voice, "ops")
    client.joins["ops"] = deque([PendingJoin("1"), PendingJoin("2")])
    assert lines(replies.welcome(welcome()))[0].startswith("@label=1 ")
    assert lines(replies.not_joined(RoomFault.ALREADY_THERE)) == ["@label=2 :tertulia ACK"]
    parts = [PendingJoin("3", is_part=True), PendingJoin("4"), PendingJoin("5", is_part=True)]
    client.joins["ops"] = deque(parts)
    assert lines(replies.parted(Disconnect.LEFT)) == [
        "@label=3 :tertulia ACK",
        "@label=4 :tertulia ACK",
        f"@label=5 {OWN} PART #ops",
    ]
    assert client.joins == {}


def test_who_parts_before_coming_in_reads_no_welcome() -> None:
    client = client_of(LABELS, rooms="")
    client.joins["ops"] = deque([PendingJoin("1"), PendingJoin("2", is_part=True)])
    assert lines(IrcReplies(client, voice, "ops").parted(Disconnect.LEFT)) == [
        "@label=1 :tertulia ACK",
        "@label=2 :tertulia 442 anna #ops :You're not on that channel",
    ]
    assert client.joins == {}


@each(
    ("reason", "words", "by", "told"),
    [
        (Disconnect.KICKED, "spam", "", ":tertulia KICK #ops anna :spam"),
        (Disconnect.KICKED, "", "", ":tertulia KICK #ops anna :Removed"),
        (Disconnect.KICKED, "", "bruno", ":bruno!bruno@tertulia KICK #ops anna :bruno"),
        (
            Disconnect.DISPLACED,
            "",
            "",
            f"{OWN} PART #ops :the nickname went to another session",
        ),
    ],
)
def test_who_is_removed_from_a_room(reason: Disconnect, words: str, by: str, told: str) -> None:
    client = client_of()
    assert lines(IrcReplies(client, voice, "ops").parted(reason, words, by)) == [told]
    assert client.rooms == {""}


def test_who_is_removed_on_the_way_back_is_not_answered_by_that() -> None:
    client = client_of(LABELS)
    client.joins["ops"] = deque([PendingJoin("L")])
    told = ":tertulia KICK #ops anna :Removed"
    assert lines(IrcReplies(client, voice, "ops").parted(Disconnect.KICKED)) == [told]
    assert client.joins["ops"] == deque([PendingJoin("L")])


def test_who_is_removed_reads_which_moderator_did_it() -> None:
    replies = IrcReplies(client_of(), voice, "ops")
    told = ":carla!carla@tertulia KICK #ops anna :spam"
    assert lines(replies.parted(Disconnect.KICKED, "spam", "carla")) == [told]


# --- Answers ------------------------------------------------------------------------------------


def in_flight(client: IrcClient, recipient: str = "", **more: object) -> int:
    return client.number(PendingAnswer("L", recipient, **more))  # type: ignore[arg-type]


@each(
    ("refusal", "room", "told"),
    [
        (Refusal.INVALID_NICKNAME, "", "432 anna bruno :Erroneous nickname"),
        (Refusal.NICKNAME_TAKEN, "", "433 anna bruno :Nickname is already in use"),
        (Refusal.NOT_SIGNED_IN, "", "464 anna :Password incorrect"),
        (
            Refusal.NO_ACCOUNT,
            "",
            "464 anna :Password incorrect: there is no such account. Come without a password",
        ),
        (Refusal.BANNED, "", "465 anna :You are banned from this chat"),
        (Refusal.UNKNOWN_RECIPIENT, "", "401 anna bruno :No such nick/channel"),
        (
            Refusal.UNKNOWN_RECIPIENT,
            "ops",
            "404 anna #ops :Cannot send to channel: you are not in it",
        ),
        (Refusal.UNKNOWN_RECIPIENT, "o o", "403 anna bruno :No such channel"),
        (
            Refusal.MAILBOX_FULL,
            "",
            "NOTICE anna :Your message to bruno was not sent: too much waits already",
        ),
        (Refusal.FORBIDDEN, "", "481 anna :Permission Denied- You're not an IRC operator"),
    ],
)
def test_what_is_refused(refusal: Refusal, room: str, told: str) -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, room)
    assert lines(replies.refusal(refusal, "bruno")) == [f":tertulia {told}"]
    labelled = replies.refusal(refusal, "bruno", in_flight(client))
    assert lines(labelled) == [f"@label=L :tertulia {told}"]
    # RFC 2812, 3.3.2: nothing is ever answered to a NOTICE.
    notice = replies.refusal(refusal, "bruno", in_flight(client, is_notice=True))
    assert lines(notice) == ["@label=L :tertulia ACK"]
    assert client.pending == {}


def test_a_ban_has_an_end() -> None:
    told = IrcReplies(IrcClient(IrcServer()), voice).refusal(
        Refusal.BANNED, "x", 0, 1_700_000_000_000
    )
    assert lines(told) == [
        ":tertulia 465 * :You are banned from this chat until 2023-11-14T22:13:20.000Z"
    ]


def test_a_nickname_that_is_taken_is_refused_as_any() -> None:
    replies = IrcReplies(IrcClient(IrcServer()), voice)
    assert replies.taken(["anna1"]).startswith(b":tertulia 433 * ")


def test_what_a_client_wrote_does_no_harm_in_its_answer() -> None:
    for written in ("", "a b", ":x", "a\r\nQUIT", "x" * 900, "è"):
        (line,) = lines(
            IrcReplies(IrcClient(IrcServer()), voice).refusal(Refusal.INVALID_NICKNAME, written)
        )
        assert line.startswith(":tertulia 432 * ")
        assert line.endswith(":Erroneous nickname") or len(line) == 510


def test_what_may_not_be_said() -> None:
    client = client_of(LABELS)
    muted = Restraint(Why.MUTED, 0, "spam")
    words = "Your message was not sent: you are muted: spam"
    replies = IrcReplies(client, voice, "ops")
    assert lines(replies.restrained(muted, 0)) == [f":tertulia 404 anna #ops :{words}"]
    assert lines(replies.restrained(muted, in_flight(client))) == [
        f"@label=L :tertulia 404 anna #ops :{words}"
    ]
    assert lines(IrcReplies(client, voice).restrained(muted, in_flight(client, "bruno"))) == [
        f"@label=L :tertulia NOTICE anna :{words}"
    ]
    is_notice = in_flight(client, is_notice=True)
    assert lines(replies.restrained(muted, is_notice)) == ["@label=L :tertulia ACK"]


@each(
    ("action", "fault", "told"),
    [
        (Action.TOPIC, ModerationFault.FORBIDDEN, "482 anna #ops :You're not channel operator"),
        (
            Action.REDACT,
            ModerationFault.FORBIDDEN,
            "FAIL REDACT REDACT_FORBIDDEN #ops bruno :You are not authorised to delete this message",
        ),
        (
            Action.REDACT,
            ModerationFault.NO_SUCH_MESSAGE,
            "FAIL REDACT UNKNOWN_MSGID #ops bruno :This message does not exist or is too old",
        ),
        (
            Action.KICK,
            ModerationFault.UNKNOWN_RECIPIENT,
            "441 anna bruno #ops :They aren't on that channel",
        ),
        (Action.UNMUTE, ModerationFault.NOT_MUTED, "696 anna #ops q bruno :They are not muted"),
        (
            Action.MUTE,
            ModerationFault.TOO_MANY_MUTED,
            "478 anna #ops q :Channel mute list is full",
        ),
        (
            Action.APPOINT,
            ModerationFault.NO_ACCOUNT,
            "696 anna #ops o bruno :Only an account can be a moderator",
        ),
    ],
)
def test_what_was_not_moderated(action: Action, fault: ModerationFault, told: str) -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    for tag in (in_flight(client, "bruno"), in_flight(client, text="bruno")):
        answer = replies.not_moderated(action, fault, tag)
        assert lines(answer) == [f"@label=L :tertulia {told}"]
    assert client.pending == {}
    assert replies.not_moderated(action, fault).startswith(b":tertulia ")


def test_what_was_moderated_is_told_to_everybody() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    assert replies.moderated(Action.TOPIC, 0) == b""
    assert lines(replies.moderated(Action.TOPIC, in_flight(client))) == ["@label=L :tertulia ACK"]


# --- Messages -----------------------------------------------------------------------------------


def test_a_message_is_acknowledged_where_it_has_a_label() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice, "ops")
    said = Said("anna", "n~5:1", "x", 1)
    assert replies.sent(0) == b""
    assert replies.echo(said, HERE, 0) == b""
    assert lines(replies.sent(in_flight(client))) == ["@label=L :tertulia ACK"]
    assert replies.sent(1) == b""


def test_the_echo_is_the_answer() -> None:
    client = client_of(LABELS | ECHO | Capability.MESSAGE_TAGS | Capability.SERVER_TIME)
    replies = IrcReplies(client, voice, "ops")
    tag = in_flight(client)
    assert lines(replies.echo(Said("anna", "n~5:1", "x", tag), HERE, 2)) == [
        f"@label=L;{TIME};msgid=abc-7-2 {OWN} PRIVMSG #ops :x"
    ]
    assert replies.sent(tag) == b""
    assert lines(replies.echo(Said("anna", "n~5:1", "x"), HERE, 0)) == [
        f"@{TIME};msgid=abc-7-0 {OWN} PRIVMSG #ops :x"
    ]


def test_the_echo_of_several_lines_is_one_answer() -> None:
    client = client_of(LABELS | ECHO)
    said = Said("anna", "n~5:1", several("a", "b"), in_flight(client))
    assert lines(IrcReplies(client, voice).echo(said, HERE, 0)) == [
        "@label=L :tertulia BATCH +answer labeled-response",
        f"@batch=answer {OWN} PRIVMSG #lobby :a",
        f"@batch=answer {OWN} PRIVMSG #lobby :b",
        ":tertulia BATCH -answer",
    ]
    client = client_of(LABELS | ECHO | Capability.MULTILINE)
    said = Said("anna", "n~5:1", several("a", "b"), in_flight(client))
    assert lines(IrcReplies(client, voice).echo(said, HERE, 0)) == [
        f"@label=L {OWN} BATCH +lines draft/multiline #lobby",
        f"@batch=lines {OWN} PRIVMSG #lobby :a",
        f"@batch=lines {OWN} PRIVMSG #lobby :b",
        ":tertulia BATCH -lines",
    ]


def test_who_whispers_reads_a_copy_and_both_know_the_same_identifier() -> None:
    ids = Capability.MESSAGE_TAGS
    client = client_of(LABELS | ECHO | ids)
    tag = in_flight(client, "Bruno", text="psst")
    copy = lines(IrcReplies(client, voice).sent(tag))
    assert copy == [f"@label=L;msgid=5:1-{tag} {OWN} PRIVMSG Bruno :psst"]
    bruno = IrcClient(IrcServer(), "bruno", capabilities=ids)
    letter = Whispered("anna", "n~5:1", "BRUNO", "psst", tag)
    assert lines(IrcReplies(bruno, voice).private(letter, AT)) == [
        f"@msgid=5:1-{tag} {OWN} PRIVMSG bruno :psst"
    ]


def test_what_is_tags_alone_is_read_in_the_own_way() -> None:
    ids = Capability.MESSAGE_TAGS
    client = client_of(LABELS | ECHO | ids)
    replies = IrcReplies(client, voice, "ops")
    tag = client.number(PendingAnswer("L", is_notice=True))
    assert lines(replies.echo(Tagged("anna", "n~5:1", "+a=b", tag), HERE, 0)) == [
        f"@label=L;msgid=5:1-{tag};+a=b {OWN} TAGMSG #ops"
    ]
    assert replies.sent(tag) == b""
    without = client_of(LABELS | ids)
    tag = without.number(PendingAnswer("L", is_notice=True))
    replies = IrcReplies(without, voice, "ops")
    assert replies.echo(Tagged("anna", "n~5:1", "+a=b", tag), HERE, 0) == b""
    assert lines(replies.sent(tag)) == ["@label=L :tertulia ACK"]


def test_tags_to_one_person() -> None:
    ids = Capability.MESSAGE_TAGS | Capability.ACCOUNT_TAG
    client = client_of(LABELS | ECHO | ids)
    tag = client.number(PendingAnswer("L", "Bruno", tags="+a=b", is_notice=True))
    msgid = f"msgid=5:1-{tag}"
    assert lines(IrcReplies(client, voice).sent(tag)) == [
        f"@label=L;{msgid};+a=b {OWN} TAGMSG Bruno"
    ]
    tag = client.number(PendingAnswer("", "Bruno", "x", "+a=b"))
    assert lines(IrcReplies(client, voice).sent(tag)) == [
        f"@msgid=5:1-{tag};+a=b {OWN} PRIVMSG Bruno :x"
    ]
    alone = TaggedAlone("anna", "n~5:1", "+a=b", 1, True)
    for capabilities, told in (
        (ids, [f"@msgid=5:1-1;account=anna;+a=b {OWN} TAGMSG bruno"]),
        (Capability.ACCOUNT_TAG, []),
    ):
        bruno = IrcReplies(IrcClient(IrcServer(), "bruno", capabilities=capabilities), voice)
        assert lines(bruno.tagged(alone, AT)) == told
    letter = Whispered("anna", "n~5:1", "bruno", "x", 2, tags="+a=b")
    bruno = IrcReplies(IrcClient(IrcServer(), "bruno", capabilities=ids), voice)
    assert lines(bruno.private(letter, AT)) == [f"@msgid=5:1-2;+a=b {OWN} PRIVMSG bruno :x"]


def test_tags_that_reach_nobody_are_answered_with_nothing() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice)
    for label, told in (("", []), ("L", ["@label=L :tertulia ACK"])):
        tag = client.number(PendingAnswer(label, "bruno", tags="+a", is_notice=True))
        assert lines(replies.refusal(Refusal.UNKNOWN_RECIPIENT, "bruno", tag)) == told


def test_who_writes_to_somebody_away_reads_so_with_the_answer() -> None:
    for capabilities, first in (
        (LABELS, ""),
        (LABELS | Capability.ECHO_MESSAGE, "PRIVMSG bruno :hi"),
    ):
        client = client_of(capabilities)
        away = [":tertulia 301 anna bruno :at lunch"]
        told = lines(
            IrcReplies(client, voice).sent(in_flight(client, "bruno", text="hi", away=away))
        )
        if first:
            assert told[1].endswith(f"{OWN} {first}")
            assert told[2:] == [f"@batch=answer {away[0]}", ":tertulia BATCH -answer"]
        else:
            assert told == [f"@label=L {away[0]}"]


def test_the_copy_has_its_time() -> None:
    client = client_of(LABELS | Capability.ECHO_MESSAGE | Capability.SERVER_TIME)
    tag = in_flight(client, "bruno", text="hi", at=AT)
    (told,) = lines(IrcReplies(client, voice).sent(tag))
    assert told.startswith("@label=L;time=2023-11-14T22:13:20.123Z")


def test_a_message_that_waits() -> None:
    client = client_of(LABELS)
    away = ":tertulia 301 anna bruno :Not here now: your message waits"
    replies = IrcReplies(client, voice)
    assert lines(replies.kept("bruno", client.number(PendingAnswer(recipient="bruno")))) == [away]
    assert lines(replies.kept("bruno", in_flight(client, "bruno"))) == [f"@label=L {away}"]
    is_notice = in_flight(client, "bruno", is_notice=True)
    assert lines(replies.kept("bruno", is_notice)) == ["@label=L :tertulia ACK"]
    client.capabilities |= ECHO
    assert lines(replies.kept("bruno", in_flight(client, "bruno", text="x"))) == [
        "@label=L :tertulia BATCH +answer labeled-response",
        f"@batch=answer {OWN} PRIVMSG bruno :x",
        f"@batch=answer {away}",
        ":tertulia BATCH -answer",
    ]


def test_private_messages() -> None:
    replies = IrcReplies(client_of(Capability.SERVER_TIME), voice)
    bruno = f"@{TIME} :bruno!bruno@tertulia PRIVMSG anna"
    letter = Whispered("bruno", "n~6:1", "anna", several("one", "two"))
    assert lines(replies.private(letter, AT)) == [f"{bruno} :one", f"{bruno} :two"]
    assert lines(replies.private(Whispered("G", "", "anna", "Hello"), AT)) == [
        f"@{TIME} :tertulia NOTICE anna :Hello"
    ]
    client = client_of(Capability.ACCOUNT_TAG)
    from_account = Whispered("bruno", "n~6:1", "anna", "x", 0, True)
    assert lines(IrcReplies(client, voice).private(from_account, AT)) == [
        "@account=bruno :bruno!bruno@tertulia PRIVMSG anna :x"
    ]
    lost = Undelivered("anna", "n~5:1", "bruno", "psst", 3)
    assert lines(replies.private(lost, AT)) == [
        f"@{TIME} :tertulia NOTICE anna :Your message to bruno was not delivered: psst"
    ]


def test_notices() -> None:
    replies = IrcReplies(client_of(), voice)
    assert lines(replies.slowed()) == [
        ":tertulia NOTICE anna :You write too fast: what you write is passed on more slowly, all of it."
    ]
    assert replies.heard() == replies.pong() == b""


def test_faults() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice)
    assert lines(replies.fault(Faulty(Fault.TOO_LONG))) == [
        ":tertulia 417 anna :Input line was too long"
    ]
    faulty = Faulty(Fault.MALFORMED, "one at a time", in_flight(client))
    assert lines(replies.fault(faulty)) == ["@label=L :tertulia 400 anna * :one at a time"]


# --- Accounts -----------------------------------------------------------------------------------


def test_proving_before_entering() -> None:
    client = IrcClient(IrcServer())
    replies = IrcReplies(client, voice)
    assert lines(replies.proved("Anna", is_account=True)) == [
        ":tertulia 900 * Anna!Anna@tertulia Anna :You are now logged in as Anna",
        ":tertulia 903 * :SASL authentication successful",
    ]
    assert client.account == "Anna"
    assert lines(replies.proved("Anna", is_account=False)) == [
        ":tertulia 904 * :SASL authentication failed"
    ]
    assert client.account == ""


def answered(
    action: AccountAction, outcome: AccountOutcome, recipient: str = "", label: str = ""
) -> list[str]:
    client = client_of(LABELS)
    client.accounts = [PendingAnswer(label, recipient), PendingAnswer("next")]
    told = all_lines(IrcReplies(client, voice).account(AccountAnswer(action, outcome, "anna")))
    assert [it.label for it in client.accounts] == ["next"]
    return told


LOGGED_IN = ":tertulia 900 anna anna!anna@tertulia anna :You are now logged in as anna"
MADE = "anna is your account now. From now on, enter with SASL or with your password as PASS"


def test_making_an_account_by_command() -> None:
    done = answered(AccountAction.REGISTER, AccountOutcome.DONE)
    assert done == [f":tertulia REGISTER SUCCESS anna :{MADE}", LOGGED_IN]
    labelled = answered(AccountAction.REGISTER, AccountOutcome.DONE, label="L")
    assert labelled[0] == "@label=L :tertulia BATCH +answer labeled-response"


def test_making_an_account_by_a_message() -> None:
    done = answered(AccountAction.REGISTER, AccountOutcome.DONE, "G")
    assert done == [f":tertulia NOTICE anna :{MADE}", LOGGED_IN]
    assert answered(AccountAction.REGISTER, AccountOutcome.CLOSED, "G") == [
        ":tertulia NOTICE anna :Only the operators make accounts here."
    ]
    assert len(answered(AccountAction.EXPLAIN, AccountOutcome.DONE, "G")) == 7


@each(
    ("outcome", "code"),
    [
        (AccountOutcome.TAKEN, "ACCOUNT_EXISTS"),
        (AccountOutcome.HAS_ACCOUNT, "ALREADY_AUTHENTICATED"),
        (AccountOutcome.CLOSED, "TEMPORARILY_UNAVAILABLE"),
        (AccountOutcome.INVITATION, "INVALID_EMAIL"),
        (AccountOutcome.TOO_SHORT, "WEAK_PASSWORD"),
        (AccountOutcome.TOO_LONG, "UNACCEPTABLE_PASSWORD"),
        (AccountOutcome.TOO_OFTEN, "TEMPORARILY_UNAVAILABLE"),
        (AccountOutcome.BUSY, "TEMPORARILY_UNAVAILABLE"),
    ],
)
def test_an_account_that_was_not_made(outcome: AccountOutcome, code: str) -> None:
    (line,) = answered(AccountAction.REGISTER, outcome, label="L")
    assert line.startswith(f"@label=L :tertulia FAIL REGISTER {code} anna :")


@pytest.mark.parametrize("action", AccountAction)
@pytest.mark.parametrize("outcome", AccountOutcome)
def test_every_outcome_has_words(action: AccountAction, outcome: AccountOutcome) -> None:
    assert answered(action, outcome)
    assert answered(action, outcome, "G")


def test_who_makes_or_deletes_an_account_is_one_or_is_none() -> None:
    client = client_of()
    replies = IrcReplies(client, voice)
    done = AccountOutcome.DONE
    replies.account(AccountAnswer(AccountAction.REGISTER, done, "anna"))
    assert client.is_account
    told = replies.account(AccountAnswer(AccountAction.DELETE_ACCOUNT, done, "anna"))
    assert not client.is_account
    assert all_lines(told)[-1] == ":tertulia 901 anna anna!anna@tertulia :You are now logged out"


def test_who_makes_an_account_on_the_way_in_enters_as_it() -> None:
    client = IrcClient(IrcServer(), accounts=[PendingAnswer()])
    done = AccountAnswer(AccountAction.REGISTER, AccountOutcome.DONE, "Anna")
    told = all_lines(IrcReplies(client, voice).account(done))
    assert told[0].startswith(":tertulia REGISTER SUCCESS Anna :")
    assert told[1].startswith(":tertulia 900 * Anna!Anna@tertulia Anna :")
    assert (client.account, client.is_account) == ("Anna", False)


# --- Lists and the end --------------------------------------------------------------------------


def test_a_list_of_rooms() -> None:
    client = client_of(LABELS)
    lobby = ":tertulia 322 anna #lobby 7 :Tea"
    client.lists = [PendingList(lobby=lobby), PendingList("L", frozenset({"ops"}))]
    rooms = [RoomInfo("ops", 3, "Work", True), RoomInfo("tea", 1)]
    start, end = ":tertulia 321 anna Channel :Users  Name", ":tertulia 323 anna :End of /LIST"
    ops = ":tertulia 322 anna #ops 3 :Work"
    assert lines(IrcReplies(client, voice).room_list(rooms)) == [
        start,
        lobby,
        ops,
        ":tertulia 322 anna #tea 1 :",
        end,
        "@label=L :tertulia BATCH +answer labeled-response",
        f"@batch=answer {start}",
        f"@batch=answer {ops}",
        f"@batch=answer {end}",
        ":tertulia BATCH -answer",
    ]
    assert client.lists == []
    assert IrcReplies(client, voice).room_list(rooms) == b""


def test_whether_there_is_the_channel_in_which_one_is_not() -> None:
    client = client_of(LABELS)
    replies = IrcReplies(client, voice)
    there, here = RoomInfo("ops", 3), "@label=x :tertulia 442 anna #Ops :You're not on that channel"
    for rooms, told in (
        ([there], here),
        ([RoomInfo("tea", 3)], "@label=x :tertulia 403 anna #Ops :No such channel"),
        ([RoomInfo(f"r{n}", 3) for n in range(MOST_LISTED)], here),
    ):
        client.lists = [PendingList("x", frozenset(["ops"]), missing="#Ops")]
        assert lines(replies.room_list(rooms)) == [told]
        assert client.lists == []


def test_nobody_is_401_and_a_guest_is_no_moderator() -> None:
    client, unknown = client_of(), ModerationFault.UNKNOWN_RECIPIENT
    no_account = ":tertulia 696 anna #ops o bruno :Only an account can be a moderator"
    for is_nobody, fault, told in (
        (True, unknown, ":tertulia 401 anna bruno :No such nick/channel"),
        (False, unknown, ":tertulia 441 anna bruno #ops :They aren't on that channel"),
        (False, ModerationFault.NO_ACCOUNT, no_account),
    ):
        pending = PendingAnswer(recipient="bruno", acts_in="ops", is_nobody=is_nobody)
        tag, replies = client.number(pending), IrcReplies(client, voice, "ops")
        assert lines(replies.not_moderated(Action.APPOINT, fault, tag)) == [told]


@each(
    ("reason", "words", "told"),
    [
        (Disconnect.LEFT, "", ["ERROR :Closing link (Quit)"]),
        (
            Disconnect.SILENT,
            "",
            ["ERROR :Closing link (the client did not answer a ping)"],
        ),
        (
            Disconnect.KICKED,
            "enough",
            [
                ":tertulia NOTICE anna :You were removed from the chat: enough",
                "ERROR :Closing link (You were removed from the chat: enough)",
            ],
        ),
        (Disconnect.GONE, "", []),
        (Disconnect.CHAT_CLOSED, "", []),
    ],
)
def test_the_end(reason: Disconnect, words: str, told: list[str]) -> None:
    assert lines(IrcReplies(client_of(), voice).farewell(reason, words)) == told


def test_the_end_of_a_ban_is_told() -> None:
    told = lines(IrcReplies(client_of(), voice).farewell(Disconnect.BANNED, "", 1_700_000_000_000))
    assert told[-1] == (
        "ERROR :Closing link (You are banned from the chat until 2023-11-14T22:13:20.000Z)"
    )


def test_a_client_that_asks_for_more_hears_another_voice() -> None:
    client = client_of()
    replies = IrcReplies(client, voice, "ops")
    assert replies.encoder == IrcEncoder(client.server, NO_CAPABILITY, "ops")
    assert IrcReplies(client, voice).encoder == IrcEncoder(client.server)
    client.capabilities = Capability.MESSAGE_TAGS | ECHO
    assert replies.encoder == IrcEncoder(client.server, Capability.MESSAGE_TAGS, "ops")
    assert replies.encoder is replies.encoder


def test_the_voice_of_who_is_not_shown_the_lobby_is_another_one() -> None:
    client = client_of()
    replies = IrcReplies(client, voice, "ops")
    assert replies.encoder == IrcEncoder(client.server, room="ops")
    client.rooms.discard("")
    assert replies.encoder == IrcEncoder(client.server, room="ops", shows_lobby=False)
    # Before its welcome, it will be shown what the listener says.
    for joins in (True, False):
        newcomer = IrcReplies(IrcClient(IrcServer(joins_lobby=joins)), voice)
        assert newcomer.encoder == IrcEncoder(IrcServer(joins_lobby=joins), shows_lobby=joins)


@given(
    text=st.text(max_size=1500).map(clean),
    some=st.sets(st.sampled_from(list(Capability))),
    recipient=st.text(max_size=700),
)
def test_no_line_is_too_long_and_none_is_two(
    text: str, some: set[Capability], recipient: str
) -> None:
    client = client_of(Capability(sum(some)))
    replies = IrcReplies(client, voice, "ops")
    restraint = Restraint(Why.MUTED, 0, text)
    told = [
        replies.private(Whispered("b" * 32, "n~1", "anna", text, 3), AT),
        replies.private(Undelivered("anna", "n~1", "b" * 32, text, 3), AT),
        replies.kept(recipient, in_flight(client, recipient, text=text)),
        replies.refusal(Refusal.MAILBOX_FULL, recipient, in_flight(client, recipient)),
        replies.restrained(restraint, in_flight(client)),
        replies.parted(Disconnect.KICKED, text),
        replies.farewell(Disconnect.KICKED, text),
        replies.welcome(welcome(standing=Standing(topic=text))),
    ]
    for line in b"".join(told).removesuffix(b"\r\n").split(b"\r\n"):
        assert not set(line) & {0x0A, 0x0D, 0x00}
        line.decode()
        rest = line.partition(b" ")[2] if line.startswith(b"@") else line
        assert len(rest) + 2 <= 512
