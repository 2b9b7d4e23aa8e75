"""A WebSocket that sends JSON, waits for slow clients up to a limit, and closes with a code.

Channels' consumers were rejected: they start four tasks a connection and copy each message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any

from django.db import Error as DatabaseError

from realtime.access import Visitor
from woovi.http.websocket import frame, framed
from woovi.pubsub import NoPlace, hub

BAD_REQUEST, ANONYMOUS, NO_COMPANY, TOO_SLOW, TOO_MANY, AWAY = 4400, 4401, 4403, 4008, 4429, 1013
PATIENCE = 30.0  # seconds that a client may leave messages unread
CHUNK = 65_536  # bytes handed to the server at once, about

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Frame = Callable[[bytes], bytes]
Receive = Callable[[], Awaitable[dict[str, Any]]]


def compact(message: dict[str, Any]) -> bytes:
    """The message as JSON text."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


class Closed(Exception):
    """The connection ends with this code and reason; without a code, because the client has gone."""

    def __init__(self, code: int = 0, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason


class Connection:
    """The two directions of an accepted WebSocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._write: Callable[[bytes], bool] | None = scope.get("extensions", {}).get("frames", {}).get("write")

    async def hear(self) -> str:
        """The next text message; of anything else, an empty one. Raises Closed when the client has gone."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Closed
        return message.get("text") or ""

    async def say(self, message: dict[str, Any]) -> None:
        await self.send([compact(message)], frame)

    async def send(self, texts: Iterable[bytes], frame: Frame = framed) -> None:
        """Send messages. Raises Closed where nobody reads them.

        frame: makes a message's frame. By default it is kept, for the other connections that the message goes to.
        """
        if self._write is None:
            for text in texts:
                await self._patiently({"type": "websocket.send", "text": text.decode()})
            return
        for part in _parts(texts, frame):
            if not self._write(part):
                await self._patiently({"type": "websocket.send", "frames": part})

    async def _patiently(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(message)
        except TimeoutError:
            raise Closed(TOO_SLOW, "too slow") from None

    async def visitor(self, found: Callable[[], Visitor | None]) -> Visitor:
        """Look up the visitor. Raises Closed for an unknown one, or one without a company."""
        visitor = await hub().reader.database(found)
        if visitor is None:
            raise Closed(ANONYMOUS, "not logged in")
        if not visitor.tenant:
            raise Closed(NO_COMPANY, "no company")
        return visitor


def _parts(texts: Iterable[bytes], frame: Frame) -> Iterator[bytes]:
    """The messages as frames, joined into pieces of CHUNK bytes: a client that does not read costs one piece of memory."""
    part, size = [], 0
    for text in texts:
        part.append(frame(text))
        size += len(text)
        if size >= CHUNK:
            yield b"".join(part)
            part, size = [], 0
    if part:
        yield b"".join(part)


async def first_to_end(*works: Coroutine[Any, Any, None]) -> None:
    """Run these until one of them raises, as each does in the end; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def conversation(
    scope: Scope, receive: Receive, send: Send, subprotocol: str | None, talk: Callable[[Connection], Awaitable[None]]
) -> None:
    """Accept a WebSocket, run `talk`, and close with the code that it ended with."""
    await receive()  # websocket.connect
    # Accepted before anything is refused, or a browser would not see the code.
    await send({"type": "websocket.accept", "subprotocol": subprotocol})
    code, reason = 1000, ""
    try:
        await talk(Connection(scope, receive, send))
    except Closed as closed:
        code, reason = closed.code, closed.reason
    except NoPlace:
        code, reason = TOO_MANY, "too many connections"
    except DatabaseError:
        code, reason = AWAY, "try again later"
    if code:
        with contextlib.suppress(OSError):  # it has gone meanwhile
            await send({"type": "websocket.close", "code": code, "reason": reason})
