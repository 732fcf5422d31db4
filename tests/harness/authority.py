"""Certificates of a test's own authority."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, each in a file."""

    file: Path
    key: Path


class Authority:
    """Signs certificates. Everything is in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        """The authority's own certificate, for those who trust it."""
        self._key = folder / "ca.key"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=test authority", "-days", "2", "-keyout", self._key, "-out", self.file),
        )

    def sign(self, name: str, *places: str) -> Certificate:
        """Make a certificate for places like ``DNS:localhost`` or ``IP:127.0.0.1``."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        extension = f"subjectAltName={','.join(places)}"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", f"/CN={name}", "-days", "2", "-addext", extension),
            *("-CA", self.file, "-CAkey", self._key, "-keyout", made.key, "-out", made.file),
        )
        return made


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=20)
