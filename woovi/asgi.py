"""The ASGI application: WebSockets to Channels, HTTP to Django, by a shorter way where programs ask."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

from woovi.local import embedded

embedded.ensure()

from django.core.asgi import get_asgi_application

pages = get_asgi_application()  # before what imports models

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from realtime import routing
from woovi.http.body_limit import JSON_PATHS, body_limit
from woovi.http.in_threads import InThreads
from woovi.ratelimit.gate import gate

programs = InThreads(settings.RATE_LIMIT_IN_FLIGHT)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django, once for programs and once for people. Both know every path."""
    await (programs if scope["path"].startswith(JSON_PATHS) else pages)(scope, receive, send)


application = gate(ProtocolTypeRouter({"http": routing.streams(body_limit(http)), "websocket": routing.application()}))
