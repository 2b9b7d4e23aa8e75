"""The platform's application with less patience, so that tests need none."""

from __future__ import annotations

import os

from woovi import asgi

from woovi.http import websocket  # isort: skip (it loads Django)
from realtime import admission, connection  # isort: skip
from realtime.graphql import socket  # isort: skip

application = asgi.application
connection.PATIENCE = 1.0
admission.HEARTBEAT = float(os.environ.get("HEARTBEAT", admission.HEARTBEAT))
socket.INIT = 3.0
websocket.DRAIN = 0.5
websocket.LAST_WORD = 60.0
