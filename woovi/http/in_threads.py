"""Django behind ASGI for what programs call: one hop to a thread that is there already, and one back.

Django's own handler starts a thread for each request and walks through a dozen tasks and contexts around it, which takes
longer than reading a charge. It can do so for asynchronous views and for answers that are streamed. The API and the bank's
callback have neither: their bodies come whole, their views are synchronous, their answers are short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponseBase
from django.urls import set_script_prefix

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Message], Awaitable[None]]


class InThreads(ASGIHandler):
    """An ASGI application: Django, each request in one of the `threads`, in a context of its own.

    middleware: instead of the setting MIDDLEWARE, of which what programs ask for needs only a part.
    """

    def __init__(self, threads: Executor, middleware: Sequence[str] | None = None) -> None:
        self._threads, self._middleware = threads, middleware
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """As a synchronous server does, whatever the base class asks for."""
        everybodys = settings.MIDDLEWARE
        settings.MIDDLEWARE = everybodys if self._middleware is None else self._middleware
        try:
            super().load_middleware()
        finally:
            settings.MIDDLEWARE = everybodys

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive)
        except RequestAborted:
            return
        work = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, self._answer, scope, body)
        for message in await work:
            await send(message)

    def _answer(self, scope: Message, body: bytes) -> list[Message]:
        """The whole request, in its thread. `response.close` ends it: the connection goes back to the pool."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, BytesIO(body))
        response: Any = refusal if request is None else self.get_response(request)
        try:
            content = b"".join(response)
        finally:
            response.close()
        start = {"type": "http.response.start", "status": response.status_code, "headers": _headers(response)}
        return [start, {"type": "http.response.body", "body": content}]


async def _body(receive: Receive) -> bytes:
    """The request's body, whose length `body_limit` bounds. Raises RequestAborted where the client went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    fields = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    return fields + [
        (b"Set-Cookie", each.output(header="").strip().encode("ascii")) for each in response.cookies.values()
    ]
