"""Events for programs, by Server-Sent Events: the same log and the same numbers as the WebSocket's.

    curl -N https://HOST/api/v1/events -H "Authorization: $APP_ID"
    curl -N https://HOST/api/v1/events -H "Authorization: $APP_ID" -H "Last-Event-ID: 41"     (or ?after=41)

    id: 42
    data: {"type":"event","seq":42,"id":"…","topic":"OPENPIX:CHARGE_COMPLETED","at":"…","payload":{…}}

`event: hello`, `head` and `reset` have the frames of their names as data. An EventSource comes back by itself, with the
last id that it has seen. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html

An ASGI application of its own: behind Django's middleware a stream would hold a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from django.db import Error as DatabaseError

from realtime.access import by_app_id
from realtime.admission import Admission, admitted
from realtime.connection import PATIENCE, Closed, Receive, Scope, Send, first_to_end
from realtime.events import number
from woovi.pubsub import NoPlace, Pace, Reset, Subscription, hub
from woovi.ratelimit import address

PATH = "/api/v1/events"
RETRY = (500, 5_000)  # milliseconds until a client reconnects, a random number for each
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def sse(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of GET /api/v1/events."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if scope["method"] != "GET":
        return await _refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Method Not Allowed"})
    try:
        key = headers.get(b"authorization", "")
        visitor = await hub().reader.database(partial(by_app_id, key, "EVENT_GET_LIST", address.sender(scope)))
        if visitor is None:
            return await _refuse(
                send, HTTPStatus.UNAUTHORIZED, {"data": None, "errors": [{"message": "appID inválido"}]}
            )
        last = headers.get(b"last-event-id")
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        after = number([last] if last else query.get("after"))
        async with admitted(visitor, hub()) as admission, hub().subscribe(visitor.tenant, after) as subscription:
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": HEADERS})
            with contextlib.suppress(Closed, DatabaseError):  # the stream ends, and its client comes back
                await first_to_end(_gone(receive), _keep(send, admission, subscription), _tell(send, subscription))
            await send({"type": "http.response.body"})
    except Closed as refused:
        await _refuse(send, HTTPStatus.BAD_REQUEST, {"error": refused.reason})
    except NoPlace:
        await _refuse(send, HTTPStatus.TOO_MANY_REQUESTS, {"error": "too many connections"})
    except DatabaseError:
        await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE, {"error": "try again later"})


async def _refuse(send: Send, status: HTTPStatus, body: dict[str, Any]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body, ensure_ascii=False).encode()})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise Closed


async def _keep(send: Send, admission: Admission, subscription: Subscription) -> None:
    async for _ in admission.heartbeats():
        await _send(send, _named("head", head=subscription.head))
    raise Closed


async def _tell(send: Send, subscription: Subscription) -> None:
    hello = _named("hello", head=subscription.head, after=subscription.position)
    await _send(send, b"retry: %d\n" % random.randint(*RETRY) + hello)  # noqa: S311
    while True:
        try:
            entries = await subscription.next()
        except Pace as told:
            await _send(send, _named("pace", live=told.live))
        except Reset as told:
            subscription.position = told.head
            await _send(send, b"id: %d\n" % told.head + _named("reset", head=told.head))
        else:
            await _send(send, b"".join(b"id: %d\ndata: %b\n\n" % entry for entry in entries))


def _named(kind: str, **facts: int) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **facts})}\n\n".encode()


async def _send(send: Send, body: bytes) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await send({"type": "http.response.body", "body": body, "more_body": True})
    except TimeoutError:
        raise Closed from None
