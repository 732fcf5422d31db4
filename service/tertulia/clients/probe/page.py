"""What visits have shown, for Prometheus."""

import os
import tempfile
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tertulia.clients.probe.visit import Stage, Visit

_WAY: Final = ("way", "address")
_ABOUT: Final = {
    Stage.CONNECT: "How long the last visit took to connect, over TLS with the handshake.",
    Stage.ENTER: "How long it took from there to be let into the chat.",
    Stage.READ: "How long it took from saying something to having read it on this way.",
}


class Page:
    """The last visit."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._success = Gauge(
            "tertulia_probe_success",
            "Whether the last visit worked (1) or not (0).",
            registry=self.registry,
        )
        self._ended = Gauge(
            "tertulia_probe_ended_timestamp_seconds",
            "When the last visit ended, in Unix time.",
            registry=self.registry,
        )
        self._seconds = {
            stage: Gauge(f"tertulia_probe_{stage}_seconds", about, _WAY, registry=self.registry)
            for stage, about in _ABOUT.items()
        }
        self._certificate = Gauge(
            "tertulia_probe_certificate_expiry_timestamp_seconds",
            "When the certificate that was shown ends, in Unix time.",
            _WAY,
            registry=self.registry,
        )

    def show(self, visit: Visit) -> None:
        """Take a visit in place of the one before. What it did not come to has no value."""
        self._success.set(not visit.problem)
        self._ended.set(visit.ended)
        for gauge in (*self._seconds.values(), self._certificate):
            gauge.clear()
        for number, passage in enumerate(visit.passages, 1):
            way = (str(number), str(passage.way))
            for stage, seconds in passage.seconds.items():
                self._seconds[stage].labels(*way).set(seconds)
            if passage.certificate_ends is not None:
                self._certificate.labels(*way).set(passage.certificate_ends)

    def text(self) -> bytes:
        """Return it in Prometheus' text format."""
        return generate_latest(self.registry)

    def write(self, file: Path) -> None:
        """Put it into a file, as a whole. Raises OSError where that can't be done."""
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as written:
                written.write(self.text())
                os.fchmod(written.fileno(), 0o644)  # the collector runs as another user
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink()
            raise
