"""The file of webhooks: what is wrong in it is said with its place, and without a secret."""

from pathlib import Path

import pytest

from harness.authority import Authority
from tertulia.api.webhooks.hooks import MOST_HOOKS, Webhooks, WebhooksUnusable

GOOD = {
    "name": '"tickets"',
    "url": '"https://tickets.example.org/hook?key=private"',
    "secret": '"a secret, long enough"',
    "rooms": '["ops"]',
}


def written(folder: Path, *hooks: dict[str, str]) -> Path:
    file = folder / "webhooks.toml"
    lines = []
    for hook in hooks:
        lines += ["[[webhooks]]", *(f"{key} = {value}" for key, value in hook.items())]
    file.write_text("\n".join(lines))
    return file


def without(key: str) -> dict[str, str]:
    return {k: v for k, v in GOOD.items() if k != key}


def test_a_file_has_webhooks_and_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("another secret, as long\n")
    other = {**without("secret"), "name": '"other"', "secret_file": '"key"'}
    other |= {
        "from": '"now"',
        "events": '["said", "joined"]',
        "rooms": '["lobby", "ops", "ops"]',
    }
    hooks = Webhooks.load(written(tmp_path, GOOD, other))
    assert len(hooks) == 2
    first, second = hooks.hooks
    assert first.key.get_secret_value() == "a secret, long enough"
    assert first.hook.start == "now"
    assert first.hook.events == {"said"}
    assert second.key.get_secret_value() == "another secret, as long"
    assert (second.hook.start, second.hook.rooms) == ("now", ("lobby", "ops"))
    assert hooks.files == [tmp_path / "webhooks.toml", tmp_path / "key"]
    assert "secret, long" not in repr(first)
    assert len(Webhooks.load(written(tmp_path))) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": '"http://tickets.example.org/"'}, "allow_http"),
        ({"url": '"ftp://tickets.example.org/"'}, "https://"),
        ({"url": '"https://me:private@tickets.example.org/"'}, "signature"),
        ({"url": '"https:///private"'}, "a host"),
        ({"url": '"https://[private/"'}, "a host"),
        ({"url": '"https://priv ate/"'}, "url"),
        ({"secret": '"private"'}, "16"),
        ({"secret": '"private, and long enough"', "secret_file": '"x"'}, "one of them"),
        ({"rooms": '["*"]'}, "names its rooms"),
        ({"rooms": "[]"}, "rooms"),
        ({"rooms": '["a room"]'}, "a room is"),
        ({"rooms": str([f"r{it}" for it in range(101)])}, "100"),
        ({"events": '["shouted"]'}, "one of account"),
        ({"events": "[]"}, "events"),
        ({"name": '"Tickets!"'}, "name"),
        ({"color": '"red"'}, "color"),
        ({"ca_file": '"absent.pem"'}, "ca_file"),
        ({"ca_file": '"a\\u0000b"'}, "ca_file"),
        ({"name": '"x\\u2028y"'}, "name"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    with pytest.raises(WebhooksUnusable, match=r"api\.webhooks .*webhooks\.toml") as caught:
        Webhooks.load(written(tmp_path, {**GOOD, **change}))
    assert words in str(caught.value)
    assert "private" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_other_certificates_of_a_receiver_make_it_another_webhook(tmp_path: Path) -> None:
    """Their file is beside the one of webhooks, and is looked at as that is."""
    ours, others = (Authority(tmp_path / name) for name in ("ours", "others"))
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(ours.file.read_bytes())
    file = written(tmp_path, {**GOOD, "ca_file": '"ca.pem"'})
    first = Webhooks.load(file)
    assert first.files == [file, ca_file]
    assert first.hooks[0].hook.ca_file == ca_file
    assert Webhooks.load(file).hooks == first.hooks
    ca_file.write_bytes(others.file.read_bytes())
    assert Webhooks.load(file).hooks != first.hooks


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_may_be_told_in_the_clear(tmp_path: Path, host: str) -> None:
    assert Webhooks.load(written(tmp_path, {**GOOD, "url": f'"http://{host}:8080/"'}))


def test_so_may_others_where_the_file_says_so(tmp_path: Path) -> None:
    change = {"url": '"http://tickets.internal/"', "allow_http": "true"}
    assert Webhooks.load(written(tmp_path, {**GOOD, **change}))


def test_a_file_that_is_absent_broken_or_double(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, GOOD)
    with pytest.raises(WebhooksUnusable, match="tickets is there twice"):
        Webhooks.load(file)
    with pytest.raises(WebhooksUnusable, match="one of them"):
        Webhooks.load(written(tmp_path, without("secret")))
    for absent in ('"absent"', '"a\\u0000b"'):
        with pytest.raises(WebhooksUnusable, match=r"secret_file .*can't be read"):
            Webhooks.load(written(tmp_path, {**without("secret"), "secret_file": absent}))
    many = [{**GOOD, "name": f'"h{it}"'} for it in range(MOST_HOOKS + 1)]
    with pytest.raises(WebhooksUnusable, match="100"):
        Webhooks.load(written(tmp_path, *many))
    for text in ("[[webhooks", "x = " + "9" * 5000, "x = " + "[" * 100_000):
        file.write_text(text)
        with pytest.raises(WebhooksUnusable, match="no TOML"):
            Webhooks.load(file)
    file.write_bytes(b"\xff")
    with pytest.raises(WebhooksUnusable, match="no UTF-8"):
        Webhooks.load(file)
    file.unlink()
    with pytest.raises(WebhooksUnusable, match="No such file"):
        Webhooks.load(file)


def test_the_same_webhook_in_another_chat_is_another_one(tmp_path: Path) -> None:
    hooks = Webhooks.load(written(tmp_path, GOOD, {**GOOD, "chat": '"other"'})).hooks
    assert hooks[0] != hooks[1]
    assert hooks[0].hook.receiver == hooks[1].hook.receiver
