"""httpcore sockets with one deadline for a whole call: connecting, TLS, headers and body.

httpx and httpcore time out each read separately, so a server that sends one byte a second never times out. Rejected: a
timer that closes the socket from another thread. It needs a thread for each call and cannot stop one that is connecting.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore

_call = threading.local()
PIECE = 16_384  # bytes written between two looks at the clock


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound what this thread does on such sockets in the block."""
    _call.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        del _call.ends


def left(late: type[httpcore.TimeoutException], timeout: float | None) -> float:
    """Seconds left for the next step. Raises `late` when none are left."""
    seconds: float = _call.ends - time.monotonic()
    if seconds <= 0:
        raise late("the call did not end in time")
    return seconds if timeout is None else min(seconds, timeout)


class Backend(httpcore.SyncBackend):
    """`resolve(host)` gives the addresses to try, in order; together they get one connect time-out."""

    def __init__(self, resolve: Callable[[str], Iterable[str]]) -> None:
        self.resolve = resolve

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *rest: Any, **more: Any) -> Stream:
        failure: httpcore.ConnectError = httpcore.ConnectError("its host has no address")
        ends = time.monotonic() + left(httpcore.ConnectTimeout, timeout)
        for address in self.resolve(host):
            try:
                seconds = left(httpcore.ConnectTimeout, max(0.001, ends - time.monotonic()))
                return Stream(super().connect_tcp(address, port, seconds, *rest, **more))
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class Stream(httpcore.NetworkStream):
    """A network stream whose every read and write ends by the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self.inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, left(httpcore.ReadTimeout, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self.inner.write(buffer[start : start + PIECE], left(httpcore.WriteTimeout, timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        seconds = left(httpcore.ConnectTimeout, timeout)  # Python applies it to the whole handshake
        return Stream(self.inner.start_tls(ssl_context, server_hostname, seconds))

    def close(self) -> None:
        self.inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)
