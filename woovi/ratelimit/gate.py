"""ASGI: the local tier in front of everything, load shedding, and the limits of handshakes.

application = gate(ProtocolTypeRouter(...))
RATE_LIMIT_IMPORTANCE = "shop.limits.importance"
    # importance(path, headers) -> "critical": comes in when others are shed; "known": no stranger, is not part of a
    # flood; "": anybody
RATE_LIMIT_STREAMS = {"/events"}
    # paths whose answers last as long as a WebSocket: they count as one, and are never at work
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal

from django.conf import settings
from django.utils.module_loading import import_string

from woovi import trace
from woovi.http.body_limit import JSON_PATHS
from woovi.ratelimit import address, limiter, store
from woovi.ratelimit.flood import Flood
from woovi.ratelimit.headers import headers as told
from woovi.ratelimit.line import Line
from woovi.ratelimit.places import LoadShedder

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
Importance = Literal["critical", "known", ""]

SOCKET = ("socket.address", "socket.network")
WORDS = {403: "Forbidden", 429: "Too many requests", 503: "Too much at once"}
TRY_AGAIN_LATER = 1013  # WebSocket close code (IANA)


def gate(app: App) -> App:
    """The ASGI application `app` behind the deny list, the limits of handshakes, the flood filter and load shedding."""
    flood = Flood()
    # In a flood one stranger at a time. Threads share one interpreter: beside two strangers' a known client's request would
    # take three times as long as it does alone.
    line = Line(lambda: 1 if flood.rages() else settings.RATE_LIMIT_STRANGERS)
    shedder = LoadShedder(settings.RATE_LIMIT_IN_FLIGHT)
    lasting = frozenset(settings.RATE_LIMIT_STREAMS)
    importance: Callable[[str, Mapping[bytes, bytes]], Importance] = import_string(settings.RATE_LIMIT_IMPORTANCE)

    # One function, longer than others: the steps share what they found out, and each ends the request where it refuses.
    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        limits = await store.acurrent()
        found = address.sender(scope)
        if found in limits.deny:
            await _refuse(scope, send, 403)
            return
        who = {} if found is None or found in limits.allow else address.counted(found)
        if scope["type"] == "websocket" or scope["path"] in lasting:
            decision = await limiter.atake(*limits.asks(SOCKET, who))
            if not decision.allowed:
                await _refuse(scope, send, 503 if decision.closed else 429, told([decision]))
                return
            await app(scope, receive, send)
            return
        # Our own proxy asks whether we are well: that is no stranger.
        weight = importance(scope["path"], dict(scope["headers"])) if found not in address.trusted() else "known"
        stranger = bool(who) and not weight
        if stranger and (wait := flood.refuses(limits, who["network"])):
            await _refuse(scope, send, 429, {"Retry-After": str(math.ceil(wait))})
            return
        if stranger and not await line.enter():
            await _refuse(scope, send, 503, {"Retry-After": "1"})
            return
        try:
            if not shedder.enter(weight == "critical"):
                await _refuse(scope, send, 503, {"Retry-After": "1"})
                return
            try:
                await app(scope, receive, send)
            finally:
                shedder.leave()
        finally:
            if stranger:
                line.leave()

    return guarded


async def _refuse(scope: Message, send: Send, status: int, extra: Mapping[str, str] = {}) -> None:
    asked = dict(scope["headers"])
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
        return
    if b"text/html" in asked.get(b"accept", b"") and not scope["path"].startswith(JSON_PATHS):
        kind, body = "text/html; charset=utf-8", f"<!doctype html><title>{status}</title><h1>{WORDS[status]}</h1>"
    else:
        kind, body = "application/json", json.dumps({"error": WORDS[status], **({"errorCode": "TOO_MANY_REQUESTS"} if status == 429 else {})})  # fmt: skip
    fields = {"content-type": kind, "content-length": str(len(body)), **trace.named(asked), **extra}
    head = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    raw = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": f"{head}.start", "status": status, "headers": raw})
    await send({"type": f"{head}.body", "body": body.encode()})
