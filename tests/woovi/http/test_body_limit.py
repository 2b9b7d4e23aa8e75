"""Bodies that are too long, sent to the real server: it answers before they have come."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from payments.models import User
from tests.payments import making
from tests.processes import Process, free_port

pytestmark = pytest.mark.django_db

MEGABYTE = b"x" * 1_000_000


@pytest.fixture(scope="module")
def port(django_db_setup: None) -> Iterator[int]:
    port = free_port()
    with Process("-m", "uvicorn", "woovi.asgi:application", "--port", str(port), "--lifespan", "off") as process:
        process.wait_for("Uvicorn running")
        yield port


def answer(port: int, path: str, headers: str, body: Iterable[bytes] = ()) -> tuple[bytes, int]:
    """What the server says to a POST, and how many bytes of `body` it let us send before."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):  # it hung up
            for piece in body:
                client.sendall(piece)
                sent += len(piece)
        said = b""
        with contextlib.suppress(ConnectionError):
            while more := client.recv(65_536):
                said += more
    return said, sent


def chunks(*pieces: bytes) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


@pytest.mark.parametrize(
    "path", ["/api/v1/charge", "/bank/pix", "/openpix/testing", "/login", "/admin/login/", "/nothing"]
)
def test_a_long_body_is_refused_when_it_is_announced(port: int, path: str) -> None:
    trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    said, _ = answer(port, path, f"Content-Type: application/json\r\n{trace}\r\nContent-Length: 300000000")
    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said.lower()
    assert b"x-request-id: 4bf92f3577b34da6a3ce929d0e0e4736\r\n" in said.lower()
    is_json = path.startswith(("/api", "/bank", "/openpix"))
    assert said.endswith(b'{"error": "The body is too large"}' if is_json else b"\r\n\r\nThe body is too large")


@pytest.mark.parametrize("path", ["/api/v1/charge", "/login"])
def test_a_long_body_in_chunks_is_refused_once_it_is_too_long(port: int, path: str) -> None:
    headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked"
    said, _ = answer(port, path, headers, chunks(MEGABYTE, b"x" * 50_000))  # and there is no end
    assert said.startswith(b"HTTP/1.1 413")


def test_it_hangs_up_on_who_goes_on(port: int) -> None:
    headers = "Content-Type: application/json\r\nTransfer-Encoding: chunked"
    _, sent = answer(port, "/api/v1/charge", headers, chunks(*[MEGABYTE] * 300))
    assert sent < 50_000_000


@pytest.mark.parametrize("kind", ["Content-Type: text/plain\r\n", ""])
def test_chunks_need_the_right_type_too(port: int, kind: str) -> None:
    body = chunks(b'{"correlationID": "a", "value": 100}', b"")
    said, _ = answer(port, "/api/v1/charge", f"{kind}Connection: close\r\nTransfer-Encoding: chunked", body)
    assert said.startswith(b"HTTP/1.1 415")
    assert b"application/json" in said


def test_a_body_in_chunks_is_read(port: int) -> None:
    body = chunks(b'{"correlationID": "a", ', b'"value": 100}', b"")
    headers = "Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked"
    said, _ = answer(port, "/api/v1/charge", headers, body)
    assert said.startswith(b"HTTP/1.1 401"), "it came as far as to be asked who it is"


FORM = "Content-Type: multipart/form-data; boundary=b\r\nConnection: close"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + MEGABYTE * 3 + b"\r\n--b--\r\n"


@pytest.fixture
def cookie(transactional_db: None, settings: Any) -> str:
    """The header of somebody who is logged in."""
    client = Client()
    client.force_login(User.objects.create_user("ana@example.com", company=making.company()))
    return f"Cookie: a=b; {settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@pytest.mark.parametrize(("path", "status"), [("/batches", b"403"), ("/batches/x", b"413"), ("/login", b"413")])
def test_a_path_may_have_a_limit_of_its_own(port: int, cookie: str, path: str, status: bytes) -> None:
    said, _ = answer(port, path, f"{FORM}\r\n{cookie}\r\nContent-Length: {len(FILE)}", [FILE])
    assert said.startswith(b"HTTP/1.1 " + status), "what is not too long comes as far as to be asked for its token"


@pytest.mark.parametrize("forged", ["", "Cookie: sessionid=x\r\n", "Cookie: sessionid=\xff\r\n"])
def test_a_stranger_is_sent_to_the_log_in_before_the_file_has_come(port: int, forged: str) -> None:
    said, _ = answer(port, "/batches", f"{FORM}\r\n{forged}Content-Length: {len(FILE)}")  # and nothing comes
    assert said.startswith(b"HTTP/1.1 302")
    assert b"location: /login?next=/batches\r\n" in said.lower()
    assert b"connection: close" in said.lower()


def test_a_stranger_who_does_not_announce_it_is_refused_at_the_limit_of_all(port: int) -> None:
    _, sent = answer(port, "/batches", f"{FORM}\r\nTransfer-Encoding: chunked", chunks(*[MEGABYTE] * 90))
    assert sent < 50_000_000


def test_who_was_logged_out_is_a_stranger(port: int, cookie: str) -> None:
    Session.objects.all().delete()
    said, _ = answer(port, "/batches", f"{FORM}\r\n{cookie}\r\nContent-Length: {len(FILE)}")
    assert said.startswith(b"HTTP/1.1 302")


def test_who_has_another_password_by_now_is_a_stranger(port: int, cookie: str) -> None:
    user = User.objects.get()
    user.set_password("another one of these days")
    user.save()
    said, _ = answer(port, "/batches", f"{FORM}\r\n{cookie}\r\nContent-Length: {len(FILE)}")
    assert said.startswith(b"HTTP/1.1 302")


def test_what_is_beyond_a_paths_own_limit_is_refused(port: int) -> None:
    said, _ = answer(port, "/batches", f"{FORM}\r\nContent-Length: 300000000")
    assert said.startswith(b"HTTP/1.1 413")
