"""The bank: what the platform asks of one (`port`) and the calls to a real one (`connector`).

`current()` gives the configured bank; `parse_callback()` reads its callbacks.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

from payments.bank.port import Bank
from payments.bank.wire import parse_callback

if TYPE_CHECKING:
    from payments.bank.connector import Connector
    from payments.bank.session import Session

__all__ = ["current", "disconnect", "parse_callback"]


class _Address(NamedTuple):
    """The settings of a connection, and its process: a forked worker must not write into its parent's sockets."""

    pid: int
    url: str
    client_id: str
    secret: str
    certificate: str
    timeout: int


_lock = threading.Lock()
_connected: tuple[_Address, Session, Connector] | None = None


def current() -> Bank:
    """The bank of `settings.BANK_*`, with a connection pool and an access token that this process shares."""
    # Imported here, because the HTTP client is a tenth of the start-up and memory of a process that calls no bank.
    from payments.bank.connector import Connector
    from payments.bank.session import Session

    global _connected
    address = _Address(
        os.getpid(),
        settings.BANK_URL,
        settings.BANK_CLIENT_ID,
        settings.BANK_CLIENT_SECRET,
        settings.BANK_CERTIFICATE,
        settings.BANK_TIMEOUT,
    )
    with _lock:
        if _connected is None or _connected[0] != address:
            _disconnect()
            _, url, client_id, secret, certificate, timeout = address
            session = Session(url, client_id, secret, certificate=certificate, timeout=timeout)
            _connected = address, session, Connector(session)
        return _connected[2]


def disconnect() -> None:
    """Close this process's connections. The next `current()` opens new ones."""
    with _lock:
        _disconnect()


def _disconnect() -> None:
    global _connected
    if _connected and _connected[0].pid == os.getpid():
        _connected[1].close()
    _connected = None
