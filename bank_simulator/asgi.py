"""The simulator's ASGI application: Django behind the faults, and the sender of callbacks beside it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.asgi import get_asgi_application

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope

_django = get_asgi_application()

from bank_simulator import callbacks
from bank_simulator.faults import with_faults

_site: Any = with_faults(_django)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Serve HTTP, and run the sender of callbacks for as long as the server lives."""
    if scope["type"] == "http":
        await _site(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _lifespan(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    sender = asyncio.create_task(callbacks.run())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    sender.cancel()
    with suppress(asyncio.CancelledError):
        await sender
    await send({"type": "lifespan.shutdown.complete"})
