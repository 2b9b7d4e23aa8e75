"""The ASGI application: WebSockets to Channels, HTTP to Django, by a shorter way where programs ask."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

from woovi.local import embedded

embedded.ensure()

from django.core.asgi import get_asgi_application

pages = get_asgi_application()  # before what imports models

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from realtime import routing
from woovi.http.body_limit import JSON_PATHS, PROGRAMS, body_limit
from woovi.http.in_threads import InThreads
from woovi.ratelimit.gate import gate

threads = ThreadPoolExecutor(settings.RATE_LIMIT_IN_FLIGHT, thread_name_prefix="http")
programs = InThreads(threads, settings.PROGRAMS_MIDDLEWARE)
both = InThreads(threads)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django, three times: for programs, for people, and for what both ask for, as GraphQL. Each knows every path."""
    path: str = scope["path"]
    app = programs if path.startswith(PROGRAMS) else both if path.startswith(JSON_PATHS) else pages
    await app(scope, receive, send)


application = gate(ProtocolTypeRouter({"http": routing.streams(body_limit(http)), "websocket": routing.application()}))
