"""One POST to an address that a merchant gave us: bounded in time and size, never redirected, never into our network."""

from __future__ import annotations

import functools
import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from django.conf import settings

RESPONSE_LIMIT = 65_536  # bytes of an answer that are kept
CONNECT_TIMEOUT = 10.0  # seconds


class Refused(Exception):
    """We do not call this address."""


@dataclass(frozen=True)
class Answer:
    """What came back. `status_code` is None where nothing did; then `error` says why."""

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
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise Refused("not a URL") from error
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url or port == 0:
        raise Refused("not an http(s) URL")
    if parts.username or parts.password:
        raise Refused("a URL is no place for a password")
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        _check_public(host)


def _check_public(host: str) -> None:
    """Refuse names of our own network. Basic: a name may still change its address between this and the call."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("its host has no address") from error
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if not ip.is_global or ip.is_multicast:
            raise Refused("its host is not on the public internet")


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
    """POST `body` and read the start of the answer, within about `timeout` seconds. Raises nothing of the network's."""
    started = time.monotonic()
    status, kept, error = None, b"", ""
    try:
        check_url(url)
        limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
        with _client().stream("POST", url, content=body, headers=dict(headers), timeout=limits) as response:
            for chunk in response.iter_raw(8192):
                kept += chunk
                if len(kept) >= RESPONSE_LIMIT:
                    break
                if time.monotonic() - started > timeout:
                    raise httpx.ReadTimeout("the answer did not end in time")
            status = response.status_code
    except Refused as refusal:
        error = str(refusal)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    text = kept[:RESPONSE_LIMIT].decode(errors="replace").replace("\0", "\ufffd")
    return Answer(status, text, error.replace("\0", "")[:300], int((time.monotonic() - started) * 1000))


@functools.cache
def _client() -> httpx.Client:
    """One a process: making one reads all certificate authorities. `identity`, so that no answer unfolds in memory."""
    headers = {"User-Agent": "Woovi-Webhook/1.0", "Content-Type": "application/json", "Accept-Encoding": "identity"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5)
    return httpx.Client(headers=headers, limits=limits, follow_redirects=False, trust_env=False)
