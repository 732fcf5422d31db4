"""The program ``tertulia device``, used as people use it: on terminals, several of them, for hours.

Each test knows the service by nothing but its addresses.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest

from harness.device_nodes import DeviceNodes
from harness.device_people import PASSWORD, People, are_live
from harness.device_socket import DeviceSocket, online
from harness.node import NodeFactory
from harness.redis_server import free_port
from harness.waiting import until_sync
from tertulia.clients.device import peer
from tertulia.clients.device.prompt import MAX_TYPED
from tertulia.clients.device.wire import integer, string

pytestmark = pytest.mark.slow

STARTS = 3
"""How often a service may take longer to start than the program tries, on a busy machine."""


@pytest.fixture
def device_service(node_factory: NodeFactory) -> DeviceNodes:
    return DeviceNodes(node_factory)


@pytest.fixture
def people(tmp_path: Path, device_service: DeviceNodes) -> Iterator[People]:
    everybody = People(tmp_path, device_service)
    try:
        yield everybody
    finally:
        everybody.end()


def program(service: DeviceNodes, port: int, folder: Path) -> list[str]:
    """Return the command that starts the program with no terminal."""
    command = "from tertulia.cli import main; main()"
    return [
        *(sys.executable, "-c", command, "device", str(port)),
        *("--server", service.addresses[0], "--dir", str(folder / "kept")),
    ]


def fed(command: list[str], source: bytes | BinaryIO) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with a pipe or a file to read from."""
    if isinstance(source, bytes):
        return subprocess.run(command, input=source, capture_output=True, timeout=200, check=False)
    return subprocess.run(command, stdin=source, capture_output=True, timeout=200, check=False)


def test_a_day_with_it(people: People, tmp_path: Path) -> None:
    anna, bob = people.signs_up("anna", "bob")

    anna.types("chat bob")
    anna.expects("-- bob is not in this chat: your messages wait for it")
    anna.types("ciao bob")
    anna.expects(r" \* anna: ciao bob")
    anna.types("ci sei?")
    anna.expects(r" \* anna: ci sei\?")
    anna.types(r"\q")
    anna.asked("anna> ")

    bob.types("hanging")
    bob.expects(r"anna: 2 messages, \d\d-\d\d-\d{4} \d\d:\d\d:\d\d")
    bob.types("show anna")
    bob.expects("   anna: ciao bob")
    bob.expects(r"   anna: ci sei\?")
    bob.types("show anna")
    bob.expects("-- Nothing of anna is waiting for you")
    bob.types("hanging")
    bob.expects("-- Nothing is waiting for you")

    bob.types("chat anna")
    bob.expects("[^ ]+ [^ ]+    anna: ciao bob")
    bob.expects("-- anna is not in this chat")
    anna.types("chat bob")
    anna.expects(r".* \* anna: ciao bob")
    anna.expects("-- bob is here: you talk directly now")
    bob.expects("-- anna is here")
    anna.types("eccoti")
    bob.expects("   anna: eccoti")
    anna.expects(r"\*\* anna: eccoti")
    bob.types("eccomi, perché?")
    anna.expects(r"   bob: eccomi, perché\?")

    (carol,) = people.signs_up("carol")
    anna.types(r"\u")
    anna.expects("-- Online: carol")
    anna.asked("Add whom? ")
    anna.types("carol")
    anna.expects("-- carol comes in by typing: chat anna")
    bob.expects("-- anna is adding somebody")
    carol.types("chat anna")
    carol.expects("-- anna is here, in a group")
    carol.expects("-- bob is in the chat")
    anna.expects("-- carol is in the chat")
    bob.expects("-- carol is in the chat")
    carol.asked("[anna, bob] ")
    carol.types("ciao a tutti")
    anna.expects("   carol: ciao a tutti")
    bob.expects("   carol: ciao a tutti")

    (tmp_path / "anna" / "foto.bin").write_bytes(b"\0\xff" * 32_767)
    anna.types("share foto.bin")
    anna.expects("-- Sent: foto.bin, 65534 bytes")
    for person in (bob, carol):
        kept = Path(person.expects("-- anna shared a file, 65534 bytes").partition(": ")[2])
        assert kept.name == "foto.bin"
        assert kept.read_bytes() == b"\0\xff" * 32_767

    anna.types(r"\q")
    bob.expects("-- anna left the chat")
    carol.expects("-- anna left the chat")
    anna.asked("anna> ")
    bob.types("e noi?")
    carol.expects(r"   bob: e noi\?")
    carol.types(r"\q")
    bob.expects("-- carol left the chat")
    bob.expects("-- Nobody is left: the chat is over")
    bob.asked("bob> ")

    # All that was waiting had been delivered when bob came.
    anna.types("chat bob")
    anna.expects(r".*\*\* anna: ciao bob")
    anna.expects(r".*\*\* anna: ci sei\?")
    anna.expects(r".*\*\* anna: eccoti")
    anna.expects(".*   bob: eccomi, perché")
    anna.expects(".*   carol: ciao a tutti")
    anna.expects("-- bob is not in this chat")
    anna.types(r"\q")
    anna.asked("anna> ")

    for person, name in ((anna, "anna"), (bob, "bob"), (carol, "carol")):
        person.types("out")
        person.expects("-- You are logged out")
        person.types("chat nobody")
        person.expects("-- Log in first")
        person.types(f"in {name} {PASSWORD}")
        person.expects(f"-- You are {name}")
        person.presses(b"\x04")
        assert person.ended() == 0


def test_what_somebody_wrote_while_it_waited_comes_before_what_it_says_live(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    for text in ("uno", "due"):
        anna.types(text)
        anna.expects(rf" \* anna: {text}")
    bob.types("chat anna")
    bob.expects("   anna: uno\n   anna: due")
    bob.expects("-- anna is here")
    anna.expects("-- bob is here")
    anna.types("tre")
    bob.expects("   anna: tre")
    bob.types(r"\q")
    bob.asked("bob> ")
    bob.types("hanging")
    bob.expects("-- Nothing is waiting for you")


def test_a_user_can_be_added_at_once_and_while_it_waits(people: People) -> None:
    anna, bob, carol = people.signs_up("anna", "bob", "carol")
    are_live(anna, "anna", bob, "bob")
    carol.types("chat anna")
    carol.expects("-- anna is not in this chat")
    anna.types(r"\a nobody")
    anna.expects("-- nobody is not online")
    anna.types(r"\a carol")
    anna.expects("-- carol comes in")
    carol.expects("-- anna is here, in a group", within=60)
    carol.expects("-- bob is in the chat")
    carol.types("ciao")
    anna.expects("   carol: ciao")
    bob.expects("   carol: ciao")


def test_a_killed_peer_ends_the_chat_and_is_not_waited_for(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    bob.kill()
    anna.expects("-- bob is gone: the connection broke")
    anna.expects("-- Nobody is left: the chat is over")
    anna.asked("anna> ")
    anna.types("hanging")
    anna.expects("-- Nothing is waiting for you")
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    anna.types("quando torni, leggi")
    anna.expects(r" \* anna: quando torni, leggi")


def test_two_meet_again_in_either_order(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    pairs = ((anna, "anna"), (bob, "bob"))
    for meeting in range(4):
        (waits, waiting), (comes, coming) = pairs if meeting % 3 else pairs[::-1]
        are_live(waits, waiting, comes, coming)
        waits.types(f"ciao {meeting}")
        comes.expects(f"   {waiting}: ciao {meeting}")
        comes.types(r"\quit" if meeting % 2 else r"\q")
        comes.asked(f"{coming}> ")
        waits.expects("-- Nobody is left: the chat is over")
        waits.asked(f"{waiting}> ")


def test_whoever_is_named_behind_u_is_added_at_once(people: People) -> None:
    anna, bob, carol = people.signs_up("anna", "bob", "carol")
    are_live(anna, "anna", bob, "bob")
    anna.types(r"\u carol")
    anna.expects("-- carol comes in by typing: chat anna")
    bob.expects("-- anna is adding somebody")
    carol.types("chat anna")
    carol.expects("-- bob is in the chat")


def test_a_killed_member_leaves_the_others_talking(people: People) -> None:
    anna, bob, carol = people.signs_up("anna", "bob", "carol")
    are_live(anna, "anna", bob, "bob")
    bob.types(r"\a carol")
    bob.expects("-- carol comes in")
    carol.types("chat bob")
    carol.expects("-- anna is in the chat")
    bob.kill()
    for person in (anna, carol):
        person.expects("-- bob is gone: the connection broke")
    anna.types("ciao")
    carol.expects("   anna: ciao")


def test_a_service_that_is_away_is_told_and_waited_for_a_little(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    device_service.stop()
    for command in ("hanging", "chat bob", f"in anna {PASSWORD}"):
        anna.types(command)
        anna.expects("-- The service at .* does not answer; trying again")
        anna.expects("-- The service at .* is away", within=60)
        anna.asked("anna> ")
    for _ in range(STARTS):
        anna.types("hanging")
        anna.expects("-- The service at .* does not answer; trying again")
        device_service.start()
        if "Nothing is waiting" in anna.expects(
            "-- Nothing is waiting|-- The service at .* is away"
        ):
            break
        device_service.stop()  # it took longer to start than the program tries
    else:
        pytest.fail("the program never saw the service come back")
    device_service.stop()
    anna.presses(b"\x04")
    assert anna.ended() == 0


def test_a_chat_goes_on_when_the_service_is_back(
    people: People, device_service: DeviceNodes
) -> None:
    anna, bob = people.signs_up("anna", "bob")
    anna.types("chat bob")
    anna.expects("-- bob is not in this chat")
    anna.types("prima")
    anna.expects(r" \* anna: prima")
    while True:  # until the service has it
        bob.types("show anna")
        if "prima" in bob.expects("   anna: prima|-- Nothing of anna is waiting"):
            break
    device_service.stop()
    anna.expects("-- The connection to the service broke")
    device_service.start()
    anna.expects("-- bob is not in this chat", within=60)
    anna.types("dopo")
    anna.expects(r" \* anna: dopo")
    bob.types("chat anna")
    bob.expects("   anna: dopo")
    bob.expects("-- anna is here")


def test_a_service_that_hangs_holds_up_no_live_chat(
    people: People, device_service: DeviceNodes
) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    device_service.freeze()
    anna.types(r"\a bob")
    anna.types("ciao")
    bob.expects("   anna: ciao")
    anna.types(r"\q")
    bob.expects("-- anna left the chat")
    anna.asked("anna> ")
    device_service.thaw()
    bob.asked("bob> ", within=60)


def test_a_live_chat_needs_no_service(people: People, device_service: DeviceNodes) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    device_service.stop()
    anna.types("ciao")
    bob.expects("   anna: ciao")
    anna.types(r"\a bob")
    anna.expects("-- The service at .* is away", within=60)
    anna.types(r"\q")
    anna.expects("-- The service could not be told that you left")
    bob.expects("-- anna left the chat")
    bob.expects("-- The service could not be told", within=60)
    bob.asked("bob> ")


def test_a_peer_that_speaks_garbage_is_dropped(people: People, device_service: DeviceNodes) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory")
    with mallory.waiting_for("anna") as answer:
        assert answer == 1
        anna.types("chat mallory")
        with mallory.accept() as garbling:
            garbling.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            anna.expects("-- mallory was dropped: it sent what no device sends")
            anna.expects("-- mallory's device does not answer")
            anna.asked("anna> ")
            assert garbling.recv(100) == b""
    mallory.close()


def test_a_peer_that_says_nothing_is_not_waited_for(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory")
    with mallory.waiting_for("anna"):
        anna.types("chat mallory")
        with mallory.accept():
            anna.expects("-- mallory's device does not answer", within=60)
            anna.asked("anna> ")
    mallory.close()


HOSTILE = {
    b"../../x": "x",
    b"/tmp/tertulia-hostile": "tertulia-hostile",
    b"nul\0l": "null",
    b"": "file",
    b".": "file (1)",
    b"..": "file (2)",
    b"CON": "_CON",
    b"n" * 5000: "n" * 120,
    b"\x1b[2J\xff": "[2Jÿ",
}


def test_hostile_names_of_files_lead_nowhere(
    people: People, device_service: DeviceNodes, tmp_path: Path
) -> None:
    (anna,) = people.signs_up("anna")
    mallory = DeviceSocket(device_service.addresses[0], "mallory")
    with mallory.waiting_for("anna"):
        anna.types("chat mallory")
        with mallory.accept() as dialled:
            dialled.sendall(integer(0))
            anna.expects("-- mallory is here")
            for name, kept in HOSTILE.items():
                dialled.sendall(peer.shared(name, b"x" * 65_535))
                shown = anna.expects("-- mallory shared a file, 65535 bytes")
                path = Path(shown.partition(": ")[2])
                assert path.name == kept
                assert path.parent == tmp_path / "anna/kept/account-anna/downloads"
                assert path.stat().st_size == 65_535
            dialled.sendall(string("share x") + string("***"))
            anna.expects("-- mallory wanted to share a file and could not")
            dialled.sendall(string("\x1b]0;owned\x07\x1b[2Jciao\r\nbob: ehi"))
            anna.expects(r"   mallory: \]0;owned\[2Jciaobob: ehi")
            (tmp_path / "anna" / "big").write_bytes(b"x" * 65_536)
            anna.types("share big")
            anna.expects("-- Not sent: big has more than 65535 bytes")
            anna.types("share ../../none")
            anna.expects("-- Not sent: .*No such file")
    mallory.close()
    assert not Path("/tmp/tertulia-hostile").exists()


def test_passwords_are_neither_shown_nor_kept(
    people: People, device_service: DeviceNodes, tmp_path: Path
) -> None:
    anna, bob = people.signs_up("anna", "bob")
    anna.presses(b"\x1b[A\r")  # the line before: not this one
    anna.asked("anna> ")
    anna.types("out")
    anna.expects("-- You are logged out")
    anna.types("in anna")
    anna.asked("Password: ")
    anna.types("not this")
    anna.expects("-- The password was refused")
    anna.types("in anna")
    anna.asked("Password: ")
    anna.types(PASSWORD)
    anna.expects("-- You are anna")
    are_live(anna, "anna", bob, "bob")
    anna.types("ciao")
    bob.expects("   anna: ciao")
    for person in (anna, bob):
        assert PASSWORD not in person.screen
        assert "not this" not in person.screen
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"ciao" in path.read_bytes() for path in files)
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    "ending", ["ctrl-c", "ctrl-d", "terminated", "window closed", "ctrl-c while it asks"]
)
def test_ending_it_leaves_in_order(
    people: People, device_service: DeviceNodes, ending: str
) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    match ending:
        case "ctrl-c":
            anna.presses(b"\x03")
        case "ctrl-d":
            anna.presses(b"\x04")
        case "terminated":
            anna.process.terminate()
        case "window closed":
            anna.hangs_up()
        case "ctrl-c while it asks":
            people.signs_up("carol")
            anna.types(r"\u")
            anna.asked("Add whom? ")
            anna.presses(b"\x03")
    bob.expects("-- anna left the chat")
    assert anna.ended() == 0
    assert "anna" not in online(device_service.addresses[0])
    assert "bob" in online(device_service.addresses[0])


def test_whoever_can_t_wait_ends_it_with_a_second_ctrl_c(
    people: People, device_service: DeviceNodes
) -> None:
    (anna,) = people.signs_up("anna")
    device_service.freeze()
    anna.types("hanging")
    anna.expects("anna> hanging")
    anna.presses(b"\x03")
    until_sync(lambda: anna.modes()[3] & termios.ISIG, 60, "the terminal to be given back")
    anna.presses(b"\x03")
    assert anna.ended() == 1  # 0: it waited for the service as long as it may


def test_the_terminal_is_left_as_it_was(people: People) -> None:
    anna = people.sits_down("anna")
    raw, lines = anna.modes(), termios.ICANON | termios.ECHO
    assert not raw[3] & lines
    anna.process.send_signal(signal.SIGSTOP)
    anna.sets_modes([*raw[:3], raw[3] | lines, *raw[4:]])  # as a shell does
    anna.process.send_signal(signal.SIGCONT)
    until_sync(lambda: not anna.modes()[3] & lines, 60, "the program to have its terminal again")
    anna.types("help")
    anna.expects("signup NAME PASSWORD")
    anna.presses(b"\x04")
    assert anna.ended() == 0
    assert anna.modes()[3] & lines == lines


def test_what_is_typed_stays_while_others_talk(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    anna.presses(b"non ho fin")
    anna.asked("[bob] non ho fin")
    bob.types("ciao")
    anna.expects("   bob: ciao")
    anna.asked("[bob] non ho fin")
    anna.resizes(40)
    bob.types("parli?")
    anna.expects(r"   bob: parli\?")
    anna.asked("[bob] non ho fin")
    anna.types("ito")
    bob.expects("   anna: non ho finito")


def test_what_is_pasted_is_typed_at_once(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    are_live(anna, "anna", bob, "bob")
    process = psutil.Process(anna.process.pid)
    before = sum(process.cpu_times()[:2])
    anna.presses(b"\x1b[200~uno\ndue\n" + b"x" * 20_000 + b"\x1b[201~\r")
    bob.expects("   anna: uno\n   anna: due")
    anna.expects(f"-- Not sent: {MAX_TYPED} bytes, and 4096 are the most")
    assert sum(process.cpu_times()[:2]) - before < 5


def test_lines_that_are_no_messages(people: People) -> None:
    anna, bob = people.signs_up("anna", "bob")
    for line, answer in [
        ("", None),
        ("ciao", "-- There is no command ciao"),
        ("chat", "-- chat NAME"),
        ("out now", "-- out"),
        ("chat anna", "-- That is you"),
        ("chat G", "-- G can be nobody's name"),
        ("show ../x", "-- ../x can be nobody's name"),
        ("chat nobody", "-- There is no account nobody"),
        ("in nobody s3cret", "-- There is no account nobody"),
        ("signup bob s3cret", "-- bob is taken"),
        ("signup carol s3", "-- A password has 3 to 72 characters"),
    ]:
        if "nobody s3cret" in line or "signup bob" in line:
            anna.types("out")
            anna.expects("-- You are logged out")
            anna.types(line)
            anna.expects(answer or "")
            anna.types(f"in anna {PASSWORD}")
            answer = "-- You are anna"
        else:
            anna.types(line)
        if answer:
            anna.expects(answer)
    are_live(anna, "anna", bob, "bob")
    for line, answer in [
        ("share", "-- share FILE"),
        (r"\a G", "-- Nobody was added"),
        (r"\u", "-- Nobody else is online"),
        ("x" * 4097, "-- Not sent: 4097 bytes"),
    ]:
        anna.types(line)
        anna.expects(answer)
    anna.types(r"\o/ è \n")
    bob.expects(r"   anna: \\o/ è \\n")


def test_two_programs_on_one_port(people: People, device_service: DeviceNodes) -> None:
    anna = people.sits_down("anna")
    second = fed(program(device_service, anna.port, anna.folder), b"")
    assert second.returncode == 1
    assert b"choose another PORT" in second.stderr


def test_it_takes_commands_from_a_pipe_and_from_a_file(
    people: People, device_service: DeviceNodes, tmp_path: Path
) -> None:
    (bob,) = people.signs_up("bob")
    script = b"signup anna\ns3cret\nchat bob\nciao\n" + b"x" * 5000 + b"\n\\q\nhanging\nhelp"
    done = fed(program(device_service, free_port(), tmp_path / "script"), script)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    said = done.stdout.decode().splitlines()
    for line in (
        "-- You are anna.",
        " * anna: ciao",
        "-- A line of more than 4096 bytes was left out.",
        "-- Nothing is waiting for you.",
    ):
        assert line in said
    assert any(line.startswith("signup NAME PASSWORD") for line in said)
    bob.types("show anna")
    bob.expects("   anna: ciao")

    (tmp_path / "commands").write_bytes(b"in anna s3cret\nchat bob\ndal file\n")
    with (tmp_path / "commands").open("rb") as file:
        done = fed(program(device_service, free_port(), tmp_path / "script"), file)
    assert done.returncode == 0
    assert " * anna: dal file" in done.stdout.decode()
    bob.types("show anna")
    bob.expects("   anna: dal file")
    with Path(os.devnull).open("rb") as nothing:
        assert fed(program(device_service, free_port(), tmp_path), nothing).returncode == 0


def test_whoever_dials_a_device_that_is_in_no_chat_is_hung_up_on(people: People) -> None:
    anna = people.sits_down("anna")
    with (
        socket.create_connection(("127.0.0.1", anna.port), 30) as stranger,
        contextlib.suppress(ConnectionResetError),
    ):
        assert stranger.recv(10) == b""
    anna.types("help")
    anna.expects("signup NAME PASSWORD")


def test_a_pipe_that_nobody_reads_ends_it(device_service: DeviceNodes, tmp_path: Path) -> None:
    piped = subprocess.Popen(
        program(device_service, free_port(), tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert piped.stdin and piped.stdout
    piped.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        piped.stdin.write(b"help\n" * 10)
        piped.stdin.flush()
    until_sync(lambda: piped.poll() is not None, 60, "its end")
    _, complaint = piped.communicate()
    assert complaint == b""
    assert piped.returncode == 0
