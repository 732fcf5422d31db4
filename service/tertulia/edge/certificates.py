"""The certificates with which listeners speak TLS: what is wrong with one, and taking a new one in use.

A new file is taken by itself and on request, for new connections; those that are open keep theirs. A file
that can't be used changes nothing: the one before stays in use.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificatePublicKeyTypes,
    PublicKeyTypes,
)
from prometheus_client import Counter, Gauge

LOOK_SECONDS: Final = 1.0
"""Between two looks at the files. One that changed is read when it has not changed again meanwhile, as
certificate and key are seldom written in the same moment."""

_log = structlog.get_logger(__name__)


class CertificateError(Exception):
    """A certificate or key can't be used; the text says why, and what to do. No secret is in it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A certificate that can be used."""

    context: ssl.SSLContext
    ends: datetime


def load(certificate: Path, key: Path | None, now: datetime) -> Loaded:
    """Read a chain and its key, which may be in the same file. Raises CertificateError."""
    leaf, its_key = _first(certificate)
    key = key or certificate
    if _bytes(_public_key(key)) != its_key:
        raise CertificateError(
            f"{key}: this key is not that of {certificate}: give the key that it was made for"
        )
    if leaf.not_valid_after_utc <= now:
        raise CertificateError(
            f"{certificate}: it ended on {_day(leaf.not_valid_after_utc)}: renew it"
        )
    if leaf.not_valid_before_utc > now:
        raise CertificateError(
            f"{certificate}: it begins on {_day(leaf.not_valid_before_utc)}: "
            "wait until then, or set this machine's clock"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise CertificateError(f"{certificate}: OpenSSL refuses it ({why}): make another") from None
    return Loaded(context, leaf.not_valid_after_utc)


def _first(path: Path) -> tuple[x509.Certificate, bytes]:
    """Return the first certificate and its public key, both of which are read to the end only here."""
    try:
        first = x509.load_pem_x509_certificates(_read(path))[0]
        return first, _bytes(first.public_key())
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            f"{path}: there is no certificate in it: give a PEM file, the chain after the first"
        ) from None


def _public_key(path: Path) -> PublicKeyTypes:
    try:
        return serialization.load_pem_private_key(_read(path), None).public_key()
    except TypeError:
        raise CertificateError(
            f"{path}: the key is locked with a password: give it without, readable by the node only"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            f"{path}: there is no private key in it: give the PEM file that has it as key"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"{path}: cannot be read ({error.strerror}): give a file that the node may read"
        ) from None


def _bytes(key: PublicKeyTypes | CertificatePublicKeyTypes) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"


class Counted(Protocol):
    """Where it is counted what becomes of certificates, by listener."""

    def certificate_expiry(self, listener: str, /) -> Gauge:
        """Return when the one in use ends."""
        ...

    def certificate_refused(self, listener: str, /) -> Gauge:
        """Return whether the last one could not be used."""
        ...

    def certificate_reload_failures(self, listener: str, /) -> Counter:
        """Return how many could not be used."""
        ...


class Certificate:
    """The certificate of a listener, the newest that could be used."""

    def __init__(
        self,
        listener: str,
        certificate: Path,
        key: Path | None,
        loop: asyncio.AbstractEventLoop,
        metrics: Counted,
    ) -> None:
        """Take the files in use, and look after them until ``stop``. Raises CertificateError."""
        self._listener = listener
        self._certificate = certificate
        self._key = key
        self._loop = loop
        self._metrics = metrics
        self._seen = self._stamps()
        self._settling = False
        self._take(load(certificate, key, datetime.now(UTC)))
        self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def context(self) -> ssl.SSLContext:
        """Return how to speak TLS from now on."""
        return self._loaded.context

    def stop(self) -> None:
        """Look at the files no more."""
        self._timer.cancel()

    def reload(self) -> None:
        """Take the files in use, or say why not and go on with the old ones."""
        try:
            self._take(load(self._certificate, self._key, datetime.now(UTC)))
        except CertificateError as error:
            self._metrics.certificate_reload_failures(self._listener).inc()
            self._metrics.certificate_refused(self._listener).set(1)
            _log.error("certificate not taken", listener=self._listener, error=str(error))
        else:
            ends = self._loaded.ends.isoformat()
            _log.info("certificate taken", listener=self._listener, ends=ends)

    def _take(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._metrics.certificate_expiry(self._listener).set(loaded.ends.timestamp())
        self._metrics.certificate_refused(self._listener).set(0)

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            self._settling = True
        elif self._settling:
            self._settling = False
            self.reload()

    def _stamps(self) -> Sequence[tuple[int, ...]]:
        """Return what changes when a file is written, or another takes its place."""
        stamps: list[tuple[int, ...]] = []
        for path in (self._certificate, self._key or self._certificate):
            try:
                status = path.stat()
            except OSError:
                stamps.append(())
            else:
                stamps.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
        return stamps
