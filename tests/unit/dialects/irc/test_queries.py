"""What is told of people and channels. Sources: RFC 2812; modern.ircdocs.horse; ircv3.net, "WHOX"."""

from harness.cases import each
from harness.irc_talk import LABELS, IrcTalk, member
from tertulia.dialects.contract import Known
from tertulia.dialects.irc.capabilities import Capability
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.queries import MOST_WHO
from tertulia.domain.moderation import Standing

ANNA = Known("anna", "irc")
BRUNO = Known("Bruno", "browser", is_account=True, is_moderator=True)
CARLA = Known("carla", "chatte", away="at lunch")
NAMES_END = ":tertulia 366 anna #{} :End of /NAMES list"
WHO_END = ":tertulia 315 anna {} :End of /WHO list"


def talking(server: IrcServer | None = None) -> IrcTalk:
    talk = member(server=server or IrcServer(), rooms=["ops"])
    talk.knowledge.rooms = {"": [ANNA, BRUNO, CARLA], "ops": [BRUNO, ANNA]}
    return talk


@each(
    ("line", "told"),
    [
        ("#lobby", [":tertulia 353 anna = #lobby :anna @Bruno carla", NAMES_END.format("lobby")]),
        ("#OPS", [":tertulia 353 anna = #ops :@Bruno anna", NAMES_END.format("ops")]),
        ("#ops,#lobby", [":tertulia 353 anna = #ops :@Bruno anna", NAMES_END.format("ops")]),
        ("#dev", [NAMES_END.format("dev")]),
        ("#à", [NAMES_END.format("à")]),
        ("bruno", [":tertulia 366 anna bruno :End of /NAMES list"]),
        ("", [":tertulia 366 anna * :End of /NAMES list"]),
    ],
)
def test_names(line: str, told: list[str]) -> None:
    assert talking().say(f"NAMES {line}") == told


def test_names_have_users_and_hosts_for_who_wants_them() -> None:
    talk = talking()
    talk.decoder.client.capabilities = Capability.USERHOST_IN_NAMES
    assert talk.say("NAMES #ops")[0] == (
        ":tertulia 353 anna = #ops :@Bruno!Bruno@tertulia anna!anna@tertulia"
    )


def test_many_names_are_several_lines() -> None:
    talk = talking()
    names = [f"somebody_{it}" for it in range(200)]
    talk.knowledge.rooms["ops"] = [Known(it, "irc", is_moderator=it.endswith("7")) for it in names]
    *lines, end = map(str, talk.say("NAMES #ops"))
    assert end == NAMES_END.format("ops")
    assert len(lines) > 5
    assert all(450 < len(it) <= 510 for it in lines[:-1])
    told = " ".join(it.partition(" :")[2] for it in lines).split()
    assert [it.removeprefix("@") for it in told] == names
    assert told[7] == "@somebody_7"


@each(
    ("line", "told"),
    [
        ("carla", ["* carla tertulia tertulia carla G :0 carla"]),
        ("CARLA", ["* carla tertulia tertulia carla G :0 carla"]),
        ("bruno", ["* Bruno tertulia tertulia Bruno H :0 Bruno"]),
        ("nobody", []),
        ("a!b", []),
        (
            "#ops",
            [
                "#ops Bruno tertulia tertulia Bruno H@ :0 Bruno",
                "#ops anna tertulia tertulia anna H :0 anna",
            ],
        ),
        (
            "#OPS o",
            [
                "#ops Bruno tertulia tertulia Bruno H@ :0 Bruno",
                "#ops anna tertulia tertulia anna H :0 anna",
            ],
        ),
        ("#dev", []),
        ("br?no", ["* Bruno tertulia tertulia Bruno H :0 Bruno"]),
        ("*A", ["* anna tertulia tertulia anna H :0 anna", "* carla tertulia tertulia carla G :0 carla"]),
        ("[ac]*", []),
        ("carla %na", None),
    ],
)  # fmt: skip
def test_who(line: str, told: list[str] | None) -> None:
    mask = line.partition(" ")[0]
    if told is None:
        assert talking().say(f"WHO {line}") == [":tertulia 354 anna carla :0", WHO_END.format(mask)]
        return
    lines = [f":tertulia 352 anna {it}" for it in told]
    assert talking().say(f"WHO {line}") == [*lines, WHO_END.format(mask)]


@each("line", ["WHO", "WHO *", "WHO 0", "WHO :"])
def test_who_is_everybody_without_a_mask(line: str) -> None:
    assert len(talking().say(line)) == 4


DORA = Known("dora", "irc", about="d Dora D.")


def test_who_somebody_says_to_be_is_told() -> None:
    talk = talking()
    talk.knowledge.rooms = {
        "": [DORA, Known("emma", "irc", about=":e"), Known("f", "irc", about=" F")]
    }
    assert talk.say("WHO *")[:-1] == [
        ":tertulia 352 anna * d tertulia tertulia dora H :0 Dora D.",
        ":tertulia 352 anna * * tertulia tertulia emma H :0 emma",
        ":tertulia 352 anna * f tertulia tertulia f H :0 F",
    ]
    assert talk.say("WHO dora %unr")[0] == ":tertulia 354 anna d dora :Dora D."
    assert talk.say("WHOIS dora")[0] == ":tertulia 311 anna dora d tertulia * :Dora D."
    assert talk.say("USERHOST dora")[0] == ":tertulia 302 anna :dora=+dora@tertulia"


def test_who_of_a_mask_that_costs_time_elsewhere() -> None:
    talk = talking()
    talk.knowledge.rooms[""] = [Known("a" * 32, "irc")] * 100
    assert len(talk.say("WHO " + "*a" * 200 + "b")) == 1
    assert len(talk.say("WHO " + "*a" * 32 + "*")) == 101


def test_who_tells_of_so_many() -> None:
    talk = talking()
    talk.knowledge.rooms["ops"] = [Known(f"n{it}", "irc") for it in range(MOST_WHO + 5)]
    *lines, more, end = talk.say("WHO #ops")
    assert len(lines) == MOST_WHO
    assert more == ":tertulia 416 anna WHO #ops :Too many lines: ask for less"
    assert end == WHO_END.format("#ops")
    del talk.knowledge.rooms["ops"][MOST_WHO:]
    assert len(talk.say("WHO #ops")) == MOST_WHO + 1


@each(
    ("fields", "told"),
    [
        (
            "%tcuihsnfdlaor,123",
            "123 #ops Bruno 255.255.255.255 tertulia tertulia Bruno H@ 0 0 Bruno n/a :Bruno",
        ),
        (
            "%roaldfnshiuct,123",
            "123 #ops Bruno 255.255.255.255 tertulia tertulia Bruno H@ 0 0 Bruno n/a :Bruno",
        ),
        ("%NA", "Bruno :Bruno"),
        ("%n,1", ":Bruno"),
        ("%tn", ":Bruno"),
        ("%tnuhxyz,42", "42 Bruno tertulia :Bruno"),
        ("o%afnt,7", "7 Bruno H@ :Bruno"),
        ("%x", ":"),
    ],
)
def test_whox(fields: str, told: str) -> None:
    (first, second, end) = talking().say(f"WHO #ops {fields}")
    assert first == f":tertulia 354 anna {told}"
    assert str(second).startswith(":tertulia 354 anna ")
    assert end == WHO_END.format("#ops")


@each("fields", ["%n,1234", "%n,x", "%n,", "n", "%à"])
def test_what_is_no_list_of_fields_is_an_old_who(fields: str) -> None:
    assert str(talking().say(f"WHO anna {fields}")[0]).startswith(":tertulia 352 anna * anna ")


def test_whois() -> None:
    talk = talking()
    talk.knowledge.standings = {"ops": Standing(moderators=("bruno",)), "": Standing(topic="x")}
    assert talk.say("WHOIS bruno") == [
        ":tertulia 311 anna Bruno Bruno tertulia * :Bruno",
        ":tertulia 319 anna Bruno :@#lobby @#ops",
        ":tertulia 312 anna Bruno tertulia :by browser",
        ":tertulia 330 anna Bruno Bruno :is logged in as",
        ":tertulia 318 anna bruno :End of /WHOIS list",
    ]
    assert talk.say("WHOIS tertulia CARLA,x") == [
        ":tertulia 311 anna carla carla tertulia * :carla",
        ":tertulia 319 anna carla :#lobby",
        ":tertulia 312 anna carla tertulia :by chatte",
        ":tertulia 301 anna carla :at lunch",
        ":tertulia 318 anna CARLA :End of /WHOIS list",
    ]
    assert talk.say("WHOIS a\x1bb") == [
        ":tertulia 401 anna ab :No such nick/channel",
        ":tertulia 318 anna ab :End of /WHOIS list",
    ]
    assert talk.say("WHOIS", "WHOIS :") == [":tertulia 431 anna :No nickname given"] * 2


def test_whois_tells_of_owners_and_not_of_guests_with_their_names() -> None:
    talk = talking()
    talk.knowledge.standings = {"ops": Standing(owner="bruno", moderators=("anna",))}
    assert ":tertulia 319 anna Bruno :@#lobby @#ops" in talk.say("WHOIS bruno")
    assert ":tertulia 319 anna anna :#lobby #ops" in talk.say("WHOIS anna")


def test_whois_tells_of_the_lobby_only_who_is_in_it() -> None:
    talk = talking()
    talk.decoder.client.rooms.discard("")
    assert ":tertulia 319 anna Bruno :#ops" in talk.say("WHOIS bruno")


def test_who_was_here_is_not_remembered() -> None:
    assert talking().say("WHOWAS bruno", "WHOWAS") == [
        ":tertulia 406 anna bruno :There was no such nickname",
        ":tertulia 369 anna bruno :End of WHOWAS",
        ":tertulia 431 anna :No nickname given",
    ]


@each(
    ("line", "told"),
    [
        ("ISON BRUNO nobody carla", ":tertulia 303 anna :Bruno carla"),
        ("ISON :bruno  carla", ":tertulia 303 anna :Bruno carla"),
        ("ISON nobody", ":tertulia 303 anna :"),
        ("ISON", ":tertulia 461 anna ISON :Not enough parameters"),
        (
            "USERHOST bruno CARLA x",
            ":tertulia 302 anna :Bruno=+Bruno@tertulia carla=-carla@tertulia",
        ),
        ("USERHOST x x x x x carla", ":tertulia 302 anna :"),
        ("USERHOST", ":tertulia 461 anna USERHOST :Not enough parameters"),
    ],
)
def test_who_of_them_is_here(line: str, told: str) -> None:
    assert talking().say(line) == [told]


@each(
    ("room", "standing", "topic", "modes"),
    [
        ("ops", Standing(), "331 anna #ops :No topic is set", "+nt"),
        ("ops", Standing(topic="a b", outsiders=True), "332 anna #ops :a b", "+t"),
        ("ops", Standing(accounts_only=True), "331 anna #ops :No topic is set", "+mnt"),
        ("lobby", Standing(accounts_only=True), "331 anna #lobby :No topic is set", "+mt"),
        ("lobby", Standing(), "331 anna #lobby :No topic is set", "+t"),
        ("dev", Standing(), "442 anna #dev :You're not on that channel", None),
        ("no", Standing(), "403 anna #no :No such channel", None),
    ],
)
def test_topics_and_modes(room: str, standing: Standing, topic: str, modes: str | None) -> None:
    talk = talking()
    talk.knowledge.standings = dict.fromkeys(["", "ops"], standing)
    told = topic if modes is None else f"324 anna #{room} :{modes}"
    assert talk.say(f"TOPIC #{room}", f"MODE #{room.upper() if modes else room}") == [
        f":tertulia {topic}",
        f":tertulia {told}",
    ]


def test_who_may_not_speak() -> None:
    talk = talking()
    talk.knowledge.muted = {"carla": 0, "Dino": 1}
    assert talk.say("MODE #ops q") == [
        ":tertulia 728 anna #ops q :carla!*@*",
        ":tertulia 728 anna #ops q :Dino!*@*",
        ":tertulia 729 anna #ops q :End of channel quiet list",
    ]
    assert talk.say("MODE #ops +b") == [":tertulia 368 anna #ops :End of channel ban list"]


@each(
    ("params", "told"),
    [
        (
            "carla #ops",
            "518 anna #ops :Nobody needs an invitation here: write to carla to /join #ops",
        ),
        ("BRUNO #OPS", "443 anna Bruno #OPS :is already on channel"),
        ("carla #lobby", "443 anna carla #lobby :is already on channel"),
        ("dino #ops", "401 anna dino :No such nick/channel"),
        ("carla #dev", "442 anna #dev :You're not on that channel"),
        ("carla ops", "403 anna ops :No such channel"),
        ("carla", "461 anna INVITE :Not enough parameters"),
    ],
)
def test_nobody_is_invited(params: str, told: str) -> None:
    assert talking().say(f"INVITE {params}") == [f":tertulia {told}"]


def test_how_many_are_in_the_chat() -> None:
    assert talking().say("LUSERS") == [
        ":tertulia 251 anna :There are 3 users and 0 invisible on 1 servers",
        ":tertulia 252 anna 0 :operator(s) online",
        ":tertulia 255 anna :I have 3 clients and 0 servers",
        ":tertulia 265 anna :Current local users: 3",
        ":tertulia 266 anna :Current global users: 3",
    ]


def test_what_the_server_tells_of_itself() -> None:
    talk = talking(IrcServer(version="1.2"))
    talk.knowledge.time = 1796034030.9
    assert talk.say("VERSION", "TIME", "MOTD", "ADMIN", "INFO") == [
        ":tertulia 351 anna tertulia-1.2 tertulia :",
        ":tertulia 391 anna tertulia :Monday 30 November 2026, 10:20:30 UTC",
        ":tertulia 422 anna :There is no message of the day",
        ":tertulia 423 anna tertulia :No administrative info available",
        ":tertulia 371 anna :tertulia-1.2, a chat that people on other protocols are in as well",
        ":tertulia 374 anna :End of /INFO list",
    ]
    assert [str(it)[:20] for it in talk.say("HELP")] == [
        ":tertulia 704 anna *",
        ":tertulia 705 anna *",
        ":tertulia 706 anna *",
    ]
    assert str(talk.say("HELP privmsg")[0]).startswith(":tertulia 704 anna privmsg :")
    assert talk.say("HELP foo") == [":tertulia 524 anna foo :There is no help on that"]


@each(
    "line",
    [
        "NAMES #ops",
        "WHO #ops",
        "WHOIS bruno",
        "ISON bruno",
        "TOPIC #ops",
        "MODE #ops",
        "LUSERS",
        "TIME",
    ],
)
def test_answers_are_labelled(line: str) -> None:
    talk = talking()
    talk.decoder.client.capabilities = LABELS
    lines = [str(it) for it in talk.say(f"@label=x {line}")]
    assert lines[0].startswith("@label=x ")
    assert [it for it in lines[1:] if "label=" in it] == []
    if len(lines) > 1:
        assert " BATCH +" in lines[0]
        assert all(it.startswith("@batch=") for it in lines[1:-1])
    assert not any("label" in str(it) for it in talk.say(line))
