"""What every way of deploying sets that a node by itself does not."""

import json
import re
import sys
import tomllib

from deploy.tools import DEPLOY, installed, run

CLUSTER = """\
import json, layout, parts
there = layout.Layout(layout.DEPLOY, layout.fixed_ports())
print(json.dumps(dict(parts.node(there, "node1").environment)))
"""


def in_the_chart(*options: str) -> dict[str, str]:
    chart = DEPLOY / "kubernetes" / "tertulia"
    given = ["--set", "redis.url=redis://redis", "--kube-version", "1.37.0", *options]
    made = run([installed("helm"), "template", "chat", chart, *given])
    return dict(re.findall(r"- name: (TERTULIA_\w+)\s+value: ['\"]?(.*?)['\"]?\n", made))


def in_the_cluster() -> dict[str, str]:
    folder = DEPLOY / "cluster"
    told: dict[str, str] = json.loads(run([sys.executable, "-Bc", CLUSTER], directory=folder))
    return told


def test_nobody_may_close_the_chat_of_all() -> None:
    """Who comes first is its administrator, and the first may be anybody."""
    image = tomllib.loads((DEPLOY / "docker" / "node.toml").read_text())
    host = (DEPLOY / "systemd" / "tertulia.env.example").read_text()
    told = re.search(r"^TERTULIA_LASTING_CHATS=(.*)$", host, re.MULTILINE)
    assert image["lasting_chats"] == ["main"]
    assert told and json.loads(told[1]) == ["main"]
    assert json.loads(in_the_chart()["TERTULIA_LASTING_CHATS"]) == ["main"]
    assert json.loads(in_the_cluster()["TERTULIA_LASTING_CHATS"]) == ["main"]


def test_nobody_fills_the_screen_of_all() -> None:
    """A node by itself lets programs say more than people do."""
    image = tomllib.loads((DEPLOY / "docker" / "node.toml").read_text())["limits"]
    host = (DEPLOY / "systemd" / "tertulia.env.example").read_text()
    in_files = [
        {f"TERTULIA_LIMITS__{name.upper()}": value for name, value in image.items()},
        dict(re.findall(r"^(TERTULIA_LIMITS__\w+)=(.*)$", host, re.MULTILINE)),
        in_the_chart(),
        in_the_cluster(),
    ]
    for told in in_files:
        assert float(told["TERTULIA_LIMITS__MESSAGES_PER_SECOND"]) == 10
        assert int(told["TERTULIA_LIMITS__MESSAGES_BURST"]) == 50


def test_it_is_for_the_operator_to_say() -> None:
    assert "TERTULIA_LASTING_CHATS" not in in_the_chart("--set", "lastingChats=null")
    more = in_the_chart("--set-string", "settings.LIMITS__MESSAGES_PER_SECOND=1000")
    assert more["TERTULIA_LIMITS__MESSAGES_PER_SECOND"] == "1000"
    assert more["TERTULIA_LIMITS__MESSAGES_BURST"] == "50"


def test_where_a_device_is_is_told_to_those_with_whom_it_has_dealt() -> None:
    image = tomllib.loads((DEPLOY / "docker" / "node.toml").read_text())
    host = (DEPLOY / "systemd" / "tertulia.env.example").read_text()
    assert image["accounts"]["device_addresses"] == "answered"
    assert "\nTERTULIA_ACCOUNTS__DEVICE_ADDRESSES=answered\n" in host
    for environment in (in_the_chart(), in_the_cluster()):
        assert environment["TERTULIA_ACCOUNTS__DEVICE_ADDRESSES"] == "answered"


def test_the_chart_has_who_may_sign_up_and_what_the_page_is_called() -> None:
    made = in_the_chart()
    assert made["TERTULIA_ACCOUNTS__REGISTRATION"] == "open"
    assert not any("hosts" in it for it in json.loads(made["TERTULIA_LISTENERS"]))
    given = ("--set", "accounts.registration=closed", "--set", "hosts={chat.example.org,192.0.2.1}")
    made = in_the_chart(*given)
    assert made["TERTULIA_ACCOUNTS__REGISTRATION"] == "closed"
    named = {it["dialect"]: it.get("hosts") for it in json.loads(made["TERTULIA_LISTENERS"])}
    assert named == {
        "chatte": None,
        "protocollo": None,
        "irc": None,
        "browser": ["chat.example.org", "192.0.2.1"],
    }


def test_devices_are_let_in_only_where_that_is_asked_for() -> None:
    """Whoever has a device's address is that device."""
    asked = ("--set", "listeners.device=4242")
    for options, is_there in ((), False), (asked, True):
        listeners = json.loads(in_the_chart(*options)["TERTULIA_LISTENERS"])
        assert ("device" in {it["dialect"] for it in listeners}) is is_there
    compose = DEPLOY / "docker"
    for files, is_there in (("compose.yaml",), False), (("compose.yaml", "devices.yaml"), True):
        told = run([installed("compose-load"), "-format", "json", *files], directory=compose)
        ports = {it["published"] for it in json.loads(told)["services"]["haproxy"]["ports"]}
        assert ("4242" in ports) is is_there
