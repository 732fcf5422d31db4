"""What docs/webhooks.md gives to those who receive: the example, and how to look at a signature."""

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tools import DEPLOY, ROOT, packaged, run
from harness import processes
from harness.waiting import until_sync
from tertulia.api.webhooks.deliveries import signature

PAGE = ROOT / "docs" / "webhooks.md"
SECRET = "a secret, long enough"
BODY = '{"text": "sí — yes"}'.encode()
WITHIN = 60.0

Judge = Callable[[list[tuple[str, bytes]]], list[bool]]
"""Says of each header and body whether it is genuine."""


def code(language: str) -> str:
    """Return the page's code in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return str(found)


def by_python(_: Path) -> Judge:
    names: dict[str, Any] = {}
    exec(code("python"), names)
    return lambda asked: [names["is_genuine"](SECRET.encode(), *it) for it in asked]


def by_javascript(folder: Path) -> Judge:
    node = packaged("node", "nodejs")
    file = folder / "judge.mjs"
    call = f"""
        const asked = JSON.parse(process.argv[2]);
        const told = asked.map(([header, body]) =>
            isGenuine({json.dumps(SECRET)}, header, Buffer.from(body, "hex")));
        console.log(JSON.stringify(told));
    """
    file.write_text(code("javascript") + call)

    def judge(asked: list[tuple[str, bytes]]) -> list[bool]:
        given = json.dumps([(header, body.hex()) for header, body in asked])
        told = json.loads(run([node, file, given]))
        assert isinstance(told, list)
        return told

    return judge


@pytest.mark.parametrize("language", [by_python, by_javascript])
def test_the_pages_code_takes_what_is_genuine_and_nothing_else(
    tmp_path: Path, language: Callable[[Path], Judge]
) -> None:
    now = int(time.time())
    good = signature(SECRET, BODY, now)
    asked = [
        (good, BODY),
        (good, BODY + b" "),
        (signature("another secret", BODY, now), BODY),
        (signature(SECRET, BODY, now - 3600), BODY),
        (good.replace(f"t={now}", f"t={now - 1}"), BODY),
        ("t=1,v1=", BODY),
        ("", BODY),
    ]
    assert language(tmp_path)(asked) == [True] + [False] * 6


class Example:
    """The example, as a process."""

    def __init__(self, folder: Path) -> None:
        (folder / "secret").write_text(SECRET + "\n")
        self._log = folder / "receiver.log"
        with self._log.open("wb") as log:
            self.process = processes.start(
                [sys.executable, str(DEPLOY / "webhooks" / "receiver.py"), "0", "seen.db"],
                output=log,
                environment={"WEBHOOK_SECRET_FILE": "secret"},
                directory=folder,
            )
        until_sync(lambda: "\n" in self.log, WITHIN, lambda: f"it to listen: {self.log}")
        self.port = int(self.log.split("\n")[0].split()[-1])

    @property
    def log(self) -> str:
        return self._log.read_text()

    def post(self, told: dict[str, Any], secret: str = SECRET, at: float = 0.0) -> int:
        body = json.dumps(told).encode()
        signed = signature(secret, body, int(at or time.time()))
        url = f"http://127.0.0.1:{self.port}/"
        request = urllib.request.Request(url, body, {"Tertulia-Signature": signed})
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    example = Example(tmp_path)
    yield example
    example.process.kill()
    example.process.wait(30)


def test_the_example_takes_each_delivery_once(example: Example, tmp_path: Path) -> None:
    said = {"event": "said", "nickname": "anna", "text": "one\ntwo"}
    told = {"id": "1", "room": "ops", "events": [said, {"event": "left"}]}
    assert example.post(told, secret="another one") == 401
    assert example.post(told, at=time.time() - 3600) == 401
    assert example.post(told) == 204
    assert example.post(told) == 204
    assert example.post({**told, "id": "2", "events": [{"event": "gap", "entries": 4}]}) == 204
    assert example.log.split("\n")[1:] == ["ops anna: 'one\\ntwo'", "ops has lost something: 4", ""]
    example.process.kill()
    example.process.wait(30)
    again = Example(tmp_path)
    try:
        assert again.post(told) == 204
        assert again.log.count("\n") == 1, "it knows it still"
    finally:
        again.process.kill()
        again.process.wait(30)
