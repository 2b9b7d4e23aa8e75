"""Routes of this package: all WebSockets, and the HTTP streams, each of which would hold a thread in Django."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from channels.sessions import SessionMiddlewareStack
from django.urls import path, re_path

from realtime.connection import Receive, Scope, Send
from realtime.events import events
from realtime.graphql.socket import graphql
from realtime.sse import PATH, sse

# django-stubs knows no ASGI applications as views.
urlpatterns = [path("ws/events", events), path("graphql", graphql), re_path("", WebsocketDenier.as_asgi())]  # type: ignore[arg-type]


def application() -> Any:
    """WebSockets from pages of our own hosts, and GraphQL for programs. Who is asking, each finds out by itself.

    A browser always says where its page is from. Who does not is no page, and no cookie of its is looked at.
    """
    pages = AllowedHostsOriginValidator(SessionMiddlewareStack(URLRouter(urlpatterns)))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        by_program = scope["path"] == "/graphql" and all(name != b"origin" for name, _ in scope["headers"])
        await (graphql if by_program else pages)(scope, receive, send)

    return answer


def streams(django: Any) -> Any:
    """HTTP: streams by themselves, and everything else by Django."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (sse if scope["path"] == PATH else django)(scope, receive, send)

    return answer
