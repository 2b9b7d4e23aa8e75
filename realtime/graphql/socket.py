"""The WebSocket of /graphql: queries, mutations and subscriptions by `graphql-transport-ws`.

Strawberry's own handler was rejected: it refuses `"payload": null`, sends no pings, serialises each event for each client, and
keeps what a client does not read. This one stands on the same log, limits and patience as `/ws/events`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from graphql.execution import Executor

from payments.graphql.context import Context
from payments.graphql.errors import Refused
from payments.graphql.execution import Wanted, answer, follow, read, result
from payments.models import Company, User
from payments.selectors.balances import Balance
from realtime.access import Visitor, by_app_id, by_session
from realtime.admission import Admission, admitted
from realtime.connection import AWAY, Closed, Connection, Receive, Scope, Send, compact, conversation, first_to_end
from realtime.graphql import events, protocol
from realtime.graphql.protocol import Message, closed, hear
from realtime.graphql.threads import Threads
from woovi.http.websocket import frame
from woovi.pubsub import Entry, NoPlace, Subscription, hub
from woovi.ratelimit import RateLimited, address
from woovi.ratelimit.middleware import charge

INIT = 10.0  # seconds in which connection_init must come
AT_ONCE = 20  # operations of a connection
# Not those that read the log; and those of mutations, which may wait for a bank, are their own.
READERS, WRITERS = Threads("graphql"), Threads("graphql-mutations")
T = TypeVar("T")

logger = logging.getLogger(__name__)


async def graphql(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    agreed = protocol.NAME if protocol.NAME in scope["subprotocols"] else None
    await conversation(scope, receive, send, agreed, _talk if agreed else _refuse)


async def _refuse(connection: Connection) -> None:
    raise closed(protocol.NO_SUBPROTOCOL, f"the subprotocol is {protocol.NAME}")


async def _talk(connection: Connection) -> None:
    try:
        async with asyncio.timeout(INIT):
            credentials = await _initialised(connection)
    except TimeoutError:
        raise closed(protocol.NO_INIT, "Connection initialisation timeout") from None
    visitor = await hub().reader.database(partial(_visitor, connection.scope, credentials))
    if visitor is None or not visitor.tenant:
        raise closed(protocol.FORBIDDEN, "Forbidden")
    try:
        async with admitted(visitor, hub()) as admission, hub().subscribe(visitor.tenant) as log:
            await connection.say({"type": "connection_ack", "payload": {"head": log.head}})
            await Session(connection, visitor).run(admission, log)
    except NoPlace:  # not 4429, after which clients would not come back
        raise closed(AWAY, "too many connections") from None


async def _initialised(connection: Connection) -> Message:
    """Wait for connection_init. Returns its payload."""
    while True:
        message = await hear(connection)
        match message["type"]:
            case "connection_init":
                return message.get("payload") or {}
            case "ping":
                await connection.say(_pong(message))
            case "subscribe":
                raise closed(protocol.BEFORE_ACK, "Unauthorized")


def _visitor(scope: Scope, credentials: Message) -> Visitor | None:
    """By the AppID in connection_init or in the handshake's header; otherwise by the page's session."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    key = credentials.get("Authorization") or credentials.get("authorization") or headers.get(b"authorization")
    if key:
        return by_app_id(key, "GRAPHQL_POST", address.sender(scope)) if isinstance(key, str) else None
    return by_session(scope["session"].session_key) if "session" in scope else None


def _pong(message: Message) -> Message:
    return {"type": "pong", **({"payload": message["payload"]} if "payload" in message else {})}


class Session:
    """The operations of a connection that was acknowledged."""

    def __init__(self, connection: Connection, visitor: Visitor) -> None:
        self.connection, self.visitor = connection, visitor
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.turn = asyncio.Semaphore(1)  # one thread at a time for each connection

    async def run(self, admission: Admission, log: Subscription) -> None:
        """Serve until the client goes, its access ends, or an operation ends the connection. Raises Closed."""
        try:
            await first_to_end(self._hear(), self._keep(admission, log), self._fail())
        finally:
            tasks = list(self.operations.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, admission: Admission, log: Subscription) -> None:
        async for _ in admission.heartbeats():
            await self.connection.say({"type": "ping", "payload": {"head": log.head, "live": log.feed.live}})
        raise closed(protocol.FORBIDDEN, "access has ended")

    async def _fail(self) -> None:
        await self.failed

    async def _hear(self) -> None:
        while True:
            message = await hear(self.connection)
            match message["type"]:
                case "connection_init":
                    raise closed(protocol.TWO_INITS, "Too many initialisation requests")
                case "ping":
                    await self.connection.say(_pong(message))
                case "subscribe":
                    await self._begin(message["id"], message["payload"])
                case "complete" if task := self.operations.pop(message["id"], None):
                    task.cancel()

    async def _begin(self, operation: str, payload: Message) -> None:
        if operation in self.operations:
            raise closed(protocol.SAME_ID, f"Subscriber for {operation} already exists")
        if len(self.operations) >= AT_ONCE:
            refused = Refused(f"A connection has {AT_ONCE} operations at once", "TOO_MANY_OPERATIONS")
            await self.connection.say({"id": operation, "type": "error", "payload": refused.errors})
            return
        self.operations[operation] = asyncio.create_task(self._operate(operation, payload))

    async def _operate(self, operation: str, payload: Message) -> None:
        """An operation from its beginning to its last message. What it cannot tell its client ends the connection."""
        try:
            errors = await self._performed(operation, payload)
            ended = {"type": "error", "payload": errors} if errors else {"type": "complete"}
            del self.operations[operation]  # before it is told: then its id may be used again
            await self.connection.say({"id": operation, **ended})
        except Exception as error:
            if not self.failed.done():
                self.failed.set_exception(error)

    async def _performed(self, operation: str, payload: Message) -> list[dict[str, Any]]:
        """The errors that ended it; none where it is complete."""
        try:
            await self._perform(operation, payload)
        except Refused as refused:
            return refused.errors
        except RateLimited as limited:
            wait = math.ceil(limited.decision.retry_after)
            return Refused("Too many requests", "TOO_MANY_REQUESTS", retryAfter=wait).errors
        except (Closed, DatabaseError, OSError):  # too slow, or gone; or the database is
            raise
        except Exception:  # the connection's other operations go on
            logger.exception("an operation failed")
            return Refused("Internal Server Error", "INTERNAL").errors
        return []

    async def _perform(self, operation: str, payload: Message) -> None:
        wanted, context = await self._in_thread(self._prepare, payload)
        if wanted.is_subscription:
            executor, source = await follow(wanted, context)
            async with contextlib.aclosing(source):  # type: ignore[type-var]
                await self._follow(operation, wanted, executor, source)
            return
        body = await self._in_thread(answer, wanted, context, threads=WRITERS if wanted.is_mutation else READERS)
        await self._tell(operation, [compact(body)])

    def _prepare(self, payload: Message) -> tuple[Wanted, Context]:
        wanted = read(payload)
        if wanted.is_mutation:  # where Redis is away, a revocation is heard at the next heartbeat only
            found = self.visitor.check()
            if found is None or found.tenant != self.visitor.tenant:
                raise closed(protocol.FORBIDDEN, "access has ended")
        user = User.objects.get(pk=self.visitor.user_id) if self.visitor.user_id else None
        # Of the handshake: limits count by its address, and by the device in its cookies.
        request = ASGIRequest({**self.connection.scope, "method": "GET"}, BytesIO())
        context = Context(Company.objects.get(pk=self.visitor.tenant), user, request)
        charge(context.request, "api.company", company=self.visitor.tenant)
        return wanted, context

    async def _follow(self, operation: str, wanted: Wanted, executor: Executor[Any], source: Any) -> None:
        shape, before = events.Shape.of(wanted, executor), b""
        async for news in source:
            if news and isinstance(news[0], Entry):
                await self._tell(operation, (events.payload(shape, entry.frame) for entry in news))
                continue
            for root in news:
                if isinstance(root, Balance):
                    told = events.payload(shape, root)
                else:
                    told = await self._in_thread(_told, executor, root)
                if told != before:
                    await self._tell(operation, [told])
                before = told

    async def _tell(self, operation: str, results: Iterable[bytes]) -> None:
        """Each message is made when it is its turn: what a client does not read is not kept."""
        head = protocol.next_head(operation)
        await self.connection.send((b"%b%b}" % (head, told) for told in results), frame)

    async def _in_thread(self, act: Callable[..., T], *args: Any, threads: Threads = READERS) -> T:
        return await threads.run(self.visitor.tenant, self.turn, act, *args)


def _told(executor: Executor[Any], root: Any) -> bytes:
    executor.context_value.forget()
    return compact(result(executor.build_per_event_executor(root)))
