"""What webhooks read: their file, what receivers ask for; and what Alertmanager sends."""

import re
import unicodedata
from pathlib import Path

from pydantic import ValidationError

from fuzz.target import Pieces, Target, check, folder
from tertulia.api.alert_lines import MOST_LINES, Notification, lines
from tertulia.api.webhooks.hooks import Webhooks, WebhooksUnusable
from tertulia.api.webhooks.trying import retry_after
from tertulia.domain.text import MAX_TEXT

# Kept for as long as the tests run, and away when they end.
_FOLDER = folder()
_SECRET = "never to be shown"
_BREAKING = ("Cc", "Cs", "Zl", "Zp")
"""Kinds of signs that no line has; those for directions, and signs that are none yet, are people's."""
_HIDDEN = re.compile(rb'secret\s*=\s*"[^"]*"')


def _file(pieces: Pieces) -> object:
    path, text = Path(_FOLDER.name) / "webhooks.toml", b"".join(pieces)
    path.write_bytes(text)
    # The same words may have come to be a name or an address, and those are shown.
    is_elsewhere = _SECRET.encode() in _HIDDEN.sub(b"", text)
    try:
        hooks = Webhooks.load(path)
    except WebhooksUnusable as error:
        check(is_elsewhere or _SECRET not in str(error), f"a secret is shown: {error}")
        return "refused"
    check(is_elsewhere or _SECRET not in repr(hooks.hooks), "a secret is shown")
    return sorted(it.hook.name for it in hooks.hooks)


def _notification(pieces: Pieces) -> object:
    try:
        told = Notification.model_validate_json(b"".join(pieces))
    except ValidationError:
        return "refused"
    said = lines(told)
    check(len(said) <= MOST_LINES + 1, f"{len(said)} lines")
    for line in said:
        kinds = set(map(unicodedata.category, line.text))
        check(kinds.isdisjoint(_BREAKING), f"not one line: {line.text!r}")
        check(len(line.text.encode()) <= MAX_TEXT, f"{len(line.text)} characters")
    return [line.key for line in said]


def _retry_after(pieces: Pieces) -> object:
    seconds = retry_after(b"".join(pieces).decode("latin-1"), 1_700_000_000)
    check(seconds >= 0, f"{seconds} s")
    return seconds


TARGETS = (
    Target(
        "webhooks' files",
        _file,
        (
            b'[[webhooks]]\nname = "x"\nurl = "https://x.example/"\nsecret = "never to be shown"\n'
            b'rooms = ["lobby", "ops"]\nevents = ["said", "topic"]\nfrom = "now"\n',
            b'[[webhooks]]\nname = "y"\nurl = "http://[::1]:9000/"\nsecret = "never to be shown"\n'
            b'rooms = ["ops"]\nchat = "main"\nallow_http = true\n',
        ),
        (b"[[webhooks]]", b"secret_file", b"ca_file", b"https://", b'["*"]'),
        is_cut=False,
    ),
    Target(
        "notifications of Alertmanager",
        _notification,
        (
            b'{"version":"4","groupKey":"{}","truncatedAlerts":2,"status":"firing","receiver":"room","alerts":['
            b'{"status":"firing","labels":{"alertname":"X","severity":"critical","instance":"a:1"},'
            b'"annotations":{"summary":"It burns","runbook_url":"https://x.example"},'
            b'"startsAt":"2026-11-30T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"ab"},'
            b'{"status":"resolved","labels":{"a":"1"},"annotations":{"message":"\\u202e\\ud83d"}}]}',
        ),
        (
            b'"firing"',
            b'"resolved"',
            b"\\u2028",
            b"\\ud800",
            b"\\n",
            b"null",
            b"[]",
            b"{}",
            b"1e999",
        ),
        is_cut=False,
    ),
    Target(
        "when to come again",
        _retry_after,
        (b"120", b"Thu, 01 Jan 2026 00:17:40 GMT", b"Thursday, 01-Jan-26 00:17:40 GMT"),
        (b"+0000", b"-9999", b"GMT", b",", b":", b"9" * 30),
        is_cut=False,
        longest=200,
    ),
)
