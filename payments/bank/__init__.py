"""The bank: a port in our words (`port`), a connector to a real one (`connector`), and a simulated one (`simulator`).

`current()` is how the rest of the platform gets it; `parse_callback()` reads what it sends by itself.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from payments.bank.wire import parse_callback

if TYPE_CHECKING:
    from payments.bank.port import Bank

__all__ = ["current", "parse_callback"]


def current() -> Bank:
    """The bank of `settings.BANK_*`, with a connection pool and an access token that this process shares."""
    from django.conf import settings

    return _connect(
        os.getpid(),
        settings.BANK_URL,
        settings.BANK_CLIENT_ID,
        settings.BANK_CLIENT_SECRET,
        settings.BANK_CERTIFICATE,
        settings.BANK_TIMEOUT,
    )


@lru_cache(maxsize=4)
def _connect(_pid: int, url: str, client_id: str, secret: str, certificate: str, timeout: int) -> Bank:
    # The process id is in the key because a forked worker must not write into its parent's sockets.
    from payments.bank.connector import Connector
    from payments.bank.session import Session

    return Connector(Session(url, client_id, secret, certificate=certificate, timeout=timeout))
