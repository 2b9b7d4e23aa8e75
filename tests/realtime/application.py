"""The platform's application with less patience, so that tests need none."""

from __future__ import annotations

import os
from typing import Any

from woovi import asgi

from woovi.http import websocket  # isort: skip (it loads Django)
from realtime import admission, connection  # isort: skip
from realtime.graphql import socket  # isort: skip

TOO_SLOW = "a client does not read"
patiently = connection.Connection._patiently


async def told(self: connection.Connection, message: dict[str, Any]) -> None:
    """Say when a client is given up: from outside it cannot be seen, as places are not counted where Redis is late."""
    try:
        await patiently(self, message)
    except connection.Closed:
        print(TOO_SLOW, flush=True)
        raise


connection.Connection._patiently = told  # type: ignore[method-assign]
application = asgi.application
connection.PATIENCE = 1.0
admission.HEARTBEAT = float(os.environ.get("HEARTBEAT", admission.HEARTBEAT))
socket.INIT = 3.0
websocket.DRAIN = 0.5
websocket.LAST_WORD = 60.0
