"""Certificates: what is refused and how it is said, and when a new one is taken in use."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from fakes.clock import HandClock
from harness.certificates import Made, make
from tertulia.edge.certificates import LOOK_SECONDS, Certificate, CertificateError, load
from tertulia.telemetry.metrics import Metrics

NOW = datetime.now(UTC)


def problem(certificate: Path, key: Path | None, now: datetime = NOW) -> str:
    with pytest.raises(CertificateError) as caught:
        load(certificate, key, now)
    text = str(caught.value)
    assert text.isprintable(), "one line"
    return text


def test_certificate_and_key_may_be_in_two_files_or_one(tmp_path: Path) -> None:
    made = make(tmp_path)
    for certificate, key in (
        (made.certificate, made.key),
        (made.both, None),
        (made.both, made.key),
    ):
        loaded = load(certificate, key, NOW)
        assert loaded.ends == made.ends
        assert loaded.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_parameters_that_openssl_writes_before_a_key_are_no_harm(tmp_path: Path) -> None:
    made = make(tmp_path)
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    made.key.write_bytes(parameters + made.key.read_bytes())
    assert load(made.certificate, made.key, NOW)


def test_what_can_t_be_used_is_said_with_what_to_do(tmp_path: Path) -> None:
    made, other = make(tmp_path), make(tmp_path, "other")
    nothing, garbage = tmp_path / "nothing", tmp_path / "garbage"
    garbage.write_bytes(b"\x1b[2J zqx \xff\n")
    assert problem(nothing, None) == (
        f"{nothing}: cannot be read (No such file or directory): give a file that the node may read"
    )
    assert problem(tmp_path, None).startswith(f"{tmp_path}: cannot be read (Is a directory)")
    assert problem(made.certificate, nothing).startswith(f"{nothing}: cannot be read")
    assert problem(garbage, made.key).startswith(f"{garbage}: there is no certificate in it")
    assert problem(made.key, made.key).startswith(f"{made.key}: there is no certificate in it")
    assert problem(made.certificate, None).startswith(
        f"{made.certificate}: there is no private key"
    )
    assert problem(made.certificate, garbage).startswith(
        f"{garbage}: there is no private key in it"
    )
    assert problem(made.certificate, other.key).startswith(
        f"{other.key}: this key is not that of {made.certificate}"
    )
    assert "zqx" not in problem(garbage, garbage)


def test_a_certificate_that_is_broken_within_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path)
    whole = ssl.PEM_cert_to_DER_cert(made.certificate.read_text())
    key = x509.load_der_x509_certificate(whole).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    broken = tmp_path / "broken.pem"
    for old, new in (
        (point, point[:-1] + bytes((point[-1] ^ 1,))),  # not on the curve
        (
            b"\x2a\x86\x48\xce\x3d\x02\x01",
            b"\x2a\x86\x48\xce\x3d\x02\x7f",
        ),  # a key of no known kind
    ):
        assert old in whole
        broken.write_text(ssl.DER_cert_to_PEM_cert(whole.replace(old, new)))
        assert problem(broken, made.key).startswith(f"{broken}: there is no certificate in it")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    made = make(tmp_path, password=b"hunter2")
    assert problem(made.certificate, made.key).startswith(
        f"{made.key}: the key is locked with a password"
    )


def test_one_that_has_ended_or_not_begun_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path, begins=timedelta(0), ends=timedelta(days=1))
    assert load(made.certificate, made.key, NOW + timedelta(hours=23))
    text = problem(made.certificate, made.key, NOW + timedelta(days=2))
    assert text == f"{made.certificate}: it ended on {made.ends:%Y-%m-%d at %H:%M} UTC: renew it"
    text = problem(made.certificate, made.key, NOW - timedelta(days=1))
    assert "it begins on" in text and "clock" in text


def test_one_too_weak_for_openssl_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path, bits=1024)
    assert "OpenSSL refuses it (EE_KEY_TOO_SMALL)" in problem(made.certificate, made.key)


class Held:
    """A certificate in use, and a clock for it."""

    def __init__(self, made: Made, both: bool = False) -> None:
        self.clock = HandClock()
        self.metrics = Metrics(
            CollectorRegistry(),
            dialects=["chatte"],
            chats=["main"],
            version="x",
            certificates=["chatte:1"],
        )
        self.certificate = Certificate(
            "chatte:1",
            made.both if both else made.certificate,
            None if both else made.key,
            cast(asyncio.AbstractEventLoop, self.clock),
            self.metrics,
        )

    @property
    def number(self) -> int:
        """The serial number of what a client is shown."""
        return shown(self.certificate.context())

    @property
    def failures(self) -> float:
        return self.value("tertulia_certificate_reload_failures_total")

    @property
    def is_refused(self) -> bool:
        return self.value("tertulia_certificate_refused") == 1

    @property
    def ends(self) -> float:
        return self.value("tertulia_certificate_expiry_timestamp_seconds")

    def value(self, name: str) -> float:
        value = self.metrics.registry.get_sample_value(name, {"listener": "chatte:1"})
        assert value is not None
        return value


def shown(context: ssl.SSLContext) -> int:
    """Shake hands in memory, and return the serial number of the server's certificate."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there)
    theirs = context.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    der = ours.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def replace(path: Path, data: bytes) -> None:
    """Put a file in another's place, as tools that renew certificates do."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


def test_a_new_file_is_taken_when_it_has_settled(tmp_path: Path) -> None:
    made = make(tmp_path)
    held = Held(made, both=True)
    assert (held.number, held.ends) == (made.number, made.ends.timestamp())
    new = make(tmp_path, "new", ends=timedelta(days=90))
    held.clock.advance(LOOK_SECONDS)
    replace(made.both, new.both.read_bytes())
    held.clock.advance(LOOK_SECONDS)
    assert held.number == made.number, "it may be half written"
    with capture_logs() as lines:
        held.clock.advance(LOOK_SECONDS)
    assert (held.number, held.ends) == (new.number, new.ends.timestamp())
    assert lines == [
        {
            "event": "certificate taken",
            "log_level": "info",
            "listener": "chatte:1",
            "ends": new.ends.isoformat(),
        }
    ]
    with capture_logs() as lines:
        held.clock.advance(100 * LOOK_SECONDS)
    assert lines == []
    assert held.failures == 0


def test_a_key_may_come_later_than_its_certificate(tmp_path: Path) -> None:
    made, new = make(tmp_path), make(tmp_path, "new")
    held = Held(made)
    replace(made.certificate, new.certificate.read_bytes())
    held.clock.advance(LOOK_SECONDS)
    replace(made.key, new.key.read_bytes())
    held.clock.advance(LOOK_SECONDS)
    assert held.number == made.number
    held.clock.advance(LOOK_SECONDS)
    assert held.number == new.number
    assert held.failures == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made, other: made.certificate.unlink(),
        lambda made, other: made.certificate.write_bytes(b""),
        lambda made, other: made.key.write_bytes(other.key.read_bytes()),
        lambda made, other: made.certificate.write_bytes(other.certificate.read_bytes()),
    ],
)
def test_a_bad_one_changes_nothing_and_is_told_once(
    tmp_path: Path, spoil: Callable[[Made, Made], object]
) -> None:
    made = make(tmp_path)
    old = (made.certificate.read_bytes(), made.key.read_bytes())
    held = Held(made)
    spoil(made, make(tmp_path, "other", ends=timedelta(days=9)))
    with capture_logs() as lines:
        held.clock.advance(10 * LOOK_SECONDS)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("certificate not taken", "error")
    assert line["error"].isprintable()
    assert (held.number, held.ends, held.failures) == (made.number, made.ends.timestamp(), 1)
    assert held.is_refused
    replace(made.certificate, old[0])
    replace(made.key, old[1])
    held.clock.advance(10 * LOOK_SECONDS)
    assert (held.number, held.failures) == (made.number, 1)
    assert not held.is_refused


def test_on_request_it_is_taken_at_once(tmp_path: Path) -> None:
    made, new = make(tmp_path), make(tmp_path, "new")
    held = Held(made, both=True)
    os.truncate(made.both, 0)
    held.certificate.reload()
    assert (held.number, held.failures) == (made.number, 1)
    made.both.write_bytes(new.both.read_bytes())
    held.certificate.reload()
    assert (held.number, held.failures) == (new.number, 1)


def test_it_is_looked_after_until_it_is_stopped(tmp_path: Path) -> None:
    made = make(tmp_path)
    held = Held(made)
    held.certificate.stop()
    made.certificate.unlink()
    held.clock.advance(10 * LOOK_SECONDS)
    assert held.failures == 0
