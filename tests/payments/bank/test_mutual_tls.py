"""A bank that lets in only who shows the right certificate."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from payments.bank.port import BankError, BankUnavailable
from payments.bank.session import Session


def write_pem(path: Path) -> Path:
    """A self-signed certificate with its key, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Bank(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self._answer(b'{"access_token": "t", "expires_in": 60}')

    def do_GET(self) -> None:
        self._answer(b'{"saldo": "1.00"}')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Quiet(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client without a certificate is no news."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_pem(tmp_path / "own.pem")


@pytest.fixture
def url(tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    bank = write_pem(tmp_path / "bank.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bank)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(own)
    server = Quiet(("127.0.0.1", 0), Bank)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(bank))
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_with_the_certificate(url: str, own: Path) -> None:
    session = Session(url, "woovi", "secret", certificate=str(own), timeout=5)
    assert session.call("GET", "/sim/balance") == {"saldo": "1.00"}
    session.close()


def test_without_it(url: str) -> None:
    session = Session(url, "woovi", "secret", timeout=5)
    with pytest.raises(BankUnavailable):
        session.call("GET", "/sim/balance")
    session.close()


def test_a_bank_that_is_not_whom_it_says(url: str, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    session = Session(url, "woovi", "secret", certificate=str(own), timeout=5)
    with pytest.raises(BankError):
        session.call("GET", "/sim/balance")
    session.close()
