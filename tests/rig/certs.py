"""A certificate authority of our own, for brokers that speak TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

from edged.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400.0


class KeyPair(Struct, frozen=True, kw_only=True):
    """Where a certificate and its private key are."""

    cert: Path
    key: Path


def _moment(offset_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(SystemClock().wall() + offset_s, tz=dt.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """Signs certificates for `localhost` and 127.0.0.1, with the dates asked for."""

    def __init__(self, directory: Path, name: str = "edged test CA") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.ca_file = directory / f"{name.replace(' ', '-')}.pem"
        ca = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, -DAY_S, 10 * DAY_S, self._key)
        certificate = builder.add_extension(ca, critical=True).sign(self._key, hashes.SHA256())
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, *, not_before_s: float = -DAY_S, not_after_s: float = DAY_S
    ) -> KeyPair:
        """A certificate valid from now + `not_before_s` to now + `not_after_s`."""
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        builder = self._builder(_name(name), not_before_s, not_after_s, key)
        certificate = builder.add_extension(hosts, critical=False).sign(self._key, hashes.SHA256())
        pair = KeyPair(cert=self._directory / f"{name}.crt", key=self._directory / f"{name}.key")
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair

    def _builder(
        self,
        subject: x509.Name,
        not_before_s: float,
        not_after_s: float,
        key: ec.EllipticCurvePrivateKey,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(not_before_s))
            .not_valid_after(_moment(not_after_s))
        )
