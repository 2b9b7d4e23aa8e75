"""One request to an address that a merchant gave us: bounded in time and size, never redirected, never into our network."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings

from woovi.http import deadline
from woovi.http.public_address import is_public

RESPONSE_LIMIT = 65_536  # bytes of an answer that are kept
CONNECT_TIMEOUT = 10.0  # seconds
HEADERS = {  # `identity`: a compressed answer could be huge in memory
    "User-Agent": "Woovi-Webhook/1.0",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
FAILURES = (
    httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable, OSError, UnicodeError, ValueError,
)  # fmt: skip


class Refused(Exception):
    """We do not call this address."""


@dataclass(frozen=True)
class Answer:
    """The answer. Without one, `status_code` is None and `error` says why."""

    status_code: int | None
    body: str
    error: str
    milliseconds: int

    @property
    def accepted(self) -> bool:
        """A redirect is not: it is not followed, so the event did not arrive."""
        return self.status_code is not None and 200 <= self.status_code < 300


def check_url(url: str) -> None:
    """Raise Refused where `url` is not an http(s) URL that we may call."""
    host = _parsed(url).host
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        _addresses(host)


def _parsed(url: str) -> httpx.URL:
    try:
        parts, parsed = urlsplit(url), httpx.URL(url)
        host, port = parts.hostname, parts.port
    except (ValueError, httpx.InvalidURL) as error:
        raise Refused("not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url or port == 0:
        raise Refused("not an http(s) URL")
    if parts.username or parts.password:
        raise Refused("a URL is no place for a password")
    return parsed


def _addresses(host: str) -> list[str]:
    """The host's addresses, none of them of our own network. Each connection is made to what was checked here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("its host has no address") from error
    addresses = [str(address[0]) for *_, address in found]
    for address in addresses if not settings.WEBHOOK_ALLOW_PRIVATE else ():
        if not is_public(address):
            raise Refused("its host is not on the public internet")
    return addresses


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """POST `body` and read the start of the answer, within `timeout` seconds in all (a slow name server aside).

    Network errors are returned in `Answer.error`, not raised.
    """
    return _exchange("POST", url, body, {**HEADERS, "Content-Type": "application/json", **headers}, timeout)


def get(url: str, timeout: float) -> Answer:
    """GET the start of what is at `url`, as `post`."""
    return _exchange("GET", url, None, HEADERS, timeout)


def _exchange(method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
    started = time.monotonic()
    status, kept, error = None, b"", ""
    try:
        target = _parsed(url)
        where = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        limits = {"connect": min(timeout, CONNECT_TIMEOUT)}
        sent = list(headers.items())
        with (
            deadline.within(timeout),
            _pool().stream(method, where, headers=sent, content=body, extensions={"timeout": limits}) as response,
        ):
            for chunk in response.iter_stream():
                kept += chunk
                if len(kept) >= RESPONSE_LIMIT:
                    break
            status = response.status
    except Refused as refusal:
        error = str(refusal)
    except FAILURES as failure:
        error = f"{type(failure).__name__}: {failure}"
    text = kept[:RESPONSE_LIMIT].decode(errors="replace").replace("\0", "\ufffd")
    return Answer(status, text, error.replace("\0", "")[:300], int((time.monotonic() - started) * 1000))


@functools.cache
def _pool() -> httpcore.ConnectionPool:
    """One pool per process, because making one reads all certificate authorities."""
    return httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=None,
        max_keepalive_connections=20,
        keepalive_expiry=5,
        network_backend=deadline.Backend(_addresses),
    )
