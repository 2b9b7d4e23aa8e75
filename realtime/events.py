"""The events' WebSocket: every event of a company, in order, from any number of the log on.

    /ws/events            from now on         /ws/events?after=41   what came after event 41, then what comes

Frames to the client, JSON text:
    {"type": "hello", "head": 43, "after": 41}      once: the log ends at 43, and what follows 41 is told
    {"type": "event", "seq": 42, "id": "…", "topic": "OPENPIX:CHARGE_COMPLETED", "at": "…", "payload": {…}}
    {"type": "head", "head": 43}                    every 25 s: who has seen less has missed something
    {"type": "pace", "live": false}                 Redis is not heard: events come a second or two late, until true follows
    {"type": "reset", "head": 7}                    the log was begun anew: read again what you show, go on after 7
The client says nothing but `ping`, which is answered by `{"type": "pong"}`.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs

from realtime.access import by_session
from realtime.admission import Admission, admitted
from realtime.connection import (
    ANONYMOUS,
    BAD_REQUEST,
    Closed,
    Connection,
    Receive,
    Scope,
    Send,
    conversation,
    first_to_end,
)
from woovi.pubsub import Pace, Reset, Subscription, hub

LONGEST = 18  # digits of a number of the log


async def events(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of `/ws/events`."""
    await conversation(scope, receive, send, None, _talk)


async def _talk(connection: Connection) -> None:
    visitor = await connection.visitor(partial(by_session, connection.scope["session"].session_key))
    after = number(parse_qs(connection.scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after"))
    async with admitted(visitor, hub()) as admission, hub().subscribe(visitor.tenant, after) as subscription:
        await connection.say({"type": "hello", "head": subscription.head, "after": subscription.position})
        await first_to_end(
            _hear(connection), _keep(connection, admission, subscription), _tell(connection, subscription)
        )


def number(values: list[str] | None) -> int | None:
    """The number of the log in a query's value. Raises Closed where it is none."""
    if values is None:
        return None
    if not (values[0].isascii() and values[0].isdigit() and len(values[0]) <= LONGEST):
        raise Closed(BAD_REQUEST, "after must be a number")
    return int(values[0])


async def _hear(connection: Connection) -> None:
    while True:
        if "ping" in (await connection.hear())[:100]:
            await connection.say({"type": "pong"})


async def _keep(connection: Connection, admission: Admission, subscription: Subscription) -> None:
    async for _ in admission.heartbeats():
        await connection.say({"type": "head", "head": subscription.head})
    raise Closed(ANONYMOUS, "access has ended")


async def _tell(connection: Connection, subscription: Subscription) -> None:
    while True:
        try:
            await connection.send([entry.frame for entry in await subscription.next()])
        except Pace as told:
            await connection.say({"type": "pace", "live": told.live})
        except Reset as told:
            subscription.position = told.head
            await connection.say({"type": "reset", "head": told.head})
