"""Stop receiving a request body at its size limit. Django alone would write all of it to disk before it checks.

BODY_LIMITS = {"/files": 100_000_000}  # bytes, for paths with a limit of their own
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

JSON_PATHS = ("/api", "/bank", "/graphql")


def body_limit(app: App) -> App:
    """`app` for bodies of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes; 413 and a closed connection for others.

    Files that a path's own limit lets in go from the socket to disk, and from there are read piece by piece.
    """

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        limit: int = settings.BODY_LIMITS.get(scope["path"], settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            await _too_large(scope["path"], send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            # The application is told that the client has disconnected, so it stops reading and sends no answer.
            return message if came <= limit else {"type": "http.disconnect"}

        await app(scope, counted, send)
        if came > limit:
            await _too_large(scope["path"], send)

    return limited


async def _too_large(path: str, send: Send) -> None:
    words = "The body is too large"
    kind, body = ("application/json", json.dumps({"error": words})) if path.startswith(JSON_PATHS) else ("text/plain", words)  # fmt: skip
    headers = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 413, "headers": raw})
    await send({"type": "http.response.body", "body": body.encode()})
