"""TLS, at a Redis with a certificate of this test's making. (The Valkey wheel is built without.)"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.exceptions import ConnectionError as Lost

from tests import redis_server
from tests.processes import free_port
from tests.topologies.servers import Server
from woovi.redis import aclient, client, close


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.with_name("key.pem").write_bytes(key.private_bytes(*formats))
    return path


@pytest.fixture
def port(tmp_path: Path, certificate: Path) -> Iterator[int]:
    binary = redis_server.find()
    assert binary, redis_server.MISSING
    port = free_port()
    options = {"tls-cert-file": str(certificate), "tls-key-file": str(certificate.with_name("key.pem"))}
    server = Server(binary, tmp_path, **{"tls-port": str(port), "tls-auth-clients": "no"}, **options)
    yield port
    server.kill()
    close()


def test_a_known_certificate_is_accepted(port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}")
    close()

    async def ask() -> bool:
        return bool(await aclient("broker").ping())

    assert client("broker").ping()
    assert asyncio.run(ask())


def test_an_unknown_certificate_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"rediss://127.0.0.1:{port}")
    close()

    async def ask() -> None:
        await aclient("broker").ping()

    with pytest.raises(Lost, match="certificate verify failed"):
        client("broker").ping()
    with pytest.raises(Lost, match="certificate verify failed"):
        asyncio.run(ask())
