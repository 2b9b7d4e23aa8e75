"""The ASGI application: HTTP to Django, WebSockets to Channels."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

from woovi.local import embedded

embedded.ensure()

from django.core.asgi import get_asgi_application

http = get_asgi_application()  # before what imports models

from channels.routing import ProtocolTypeRouter
from realtime import routing
from woovi.http.body_limit import body_limit
from woovi.ratelimit.gate import gate

application = gate(ProtocolTypeRouter({"http": routing.streams(body_limit(http)), "websocket": routing.application()}))
