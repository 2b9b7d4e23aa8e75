"""Which consumer answers which WebSocket path."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.urls import path, re_path

from realtime.consumers import EventsConsumer

urlpatterns = [path("ws/events", EventsConsumer.as_asgi()), re_path("", WebsocketDenier.as_asgi())]


def application() -> Any:
    """WebSockets by session, from pages of our own hosts only."""
    return AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(urlpatterns)))
