"""Certificates for localhost, made for a test."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate that signs itself, on disk."""

    certificate: Path
    key: Path
    both: Path
    """Certificate and key in one file."""
    ends: datetime
    number: int


def make(
    directory: Path,
    name: str = "localhost",
    *,
    begins: timedelta = -timedelta(hours=1),
    ends: timedelta = timedelta(days=2),
    password: bytes | None = None,
    bits: int = 0,
) -> Made:
    """Make one whose life begins and ends so far from now.

    A password locks its key. ``bits`` makes it one of RSA, of that strength.
    """
    key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC).replace(microsecond=0)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Made(
        certificate=directory / f"{name}.pem",
        key=directory / f"{name}.key",
        both=directory / f"{name}.both",
        ends=now + ends,
        number=certificate.serial_number,
    )
    locked = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked
    )
    made.certificate.write_bytes(chain)
    made.key.write_bytes(secret)
    made.both.write_bytes(chain + secret)
    return made


def trusting(*made: Made) -> ssl.SSLContext:
    """Return how a client speaks TLS that trusts these certificates alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for each in made:
        context.load_verify_locations(each.certificate)
    return context
