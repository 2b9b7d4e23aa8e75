"""Stop receiving a request body at its size limit. Django alone would write all of it to disk before it checks.

BODY_LIMITS = {"/files": 100_000_000}  # bytes, for paths with a limit of their own, for who is logged in
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, parse_cookie

from woovi import trace
from woovi.threads import gives_back

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

JSON_PATHS = ("/api", "/bank", "/graphql", "/openpix/", "/woovi/")  # errors are the contract's JSON
PROGRAMS = ("/api/v1/", "/api/openpix/v1/", "/bank/")  # where no person with a browser comes


def body_limit(app: App) -> App:
    """`app` for bodies of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes; 413 and a closed connection for others.

    Files that a path's own limit lets in go from the socket to disk, and from there are read piece by piece. They are let
    in from people who are logged in, or strangers could fill the disk; others are sent to the log-in unread.
    """

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        own: int = settings.BODY_LIMITS.get(scope["path"], limit)
        headers = dict(scope["headers"])
        length = int(headers.get(b"content-length", b"0"))  # a server passes on no other
        if length > own:
            await _too_large(scope["path"], headers, send)
            return
        if own > limit and (length > limit or b"transfer-encoding" in headers):
            if await _is_logged_in(headers):
                limit = own
            elif length > limit:
                await _answer(send, 302, {"location": redirect_to_login(scope["path"])["Location"]})
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
            await _too_large(scope["path"], headers, send)

    return limited


async def _is_logged_in(headers: dict[bytes, bytes]) -> bool:
    """Whether the cookie's session is a person's, as Django itself will find."""
    key = parse_cookie(headers.get(b"cookie", b"").decode("latin-1")).get(settings.SESSION_COOKIE_NAME)

    def look() -> bool:
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        return get_user(request).is_authenticated

    return bool(key) and await sync_to_async(gives_back(look), thread_sensitive=False)()


async def _too_large(path: str, asked: dict[bytes, bytes], send: Send) -> None:
    words = "The body is too large"
    kind, body = ("application/json", json.dumps({"error": words})) if path.startswith(JSON_PATHS) else ("text/plain", words)  # fmt: skip
    await _answer(send, 413, {"content-type": kind, **trace.named(asked)}, body)


async def _answer(send: Send, status: int, headers: dict[str, str], body: str = "") -> None:
    headers = {**headers, "content-length": str(len(body)), "connection": "close"}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body.encode()})
