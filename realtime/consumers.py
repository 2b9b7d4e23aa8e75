"""The live pages' socket: it says that there is news, and never what. Pages read what is new by their own requests.

Frames to the page (JSON text):
    {"type": "hello", "head": 41}                                  once, after connecting
    {"type": "wake", "topics": ["charge.updated"], "id": 42}       something happened
    {"type": "head", "head": 42}                                   every 25 s
`head` is the company's latest event. Wake-ups may be lost (a restart of Redis loses some in silence), so a page
reads anew whenever `head` or `id` is above what it has seen, and also after every reconnection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.http import HttpRequest

from payments.models import User
from realtime.wake import Wake, group
from woovi.outbox.models import OutboxEvent

HEARTBEAT = 25.0  # seconds, below the idle time-outs of common proxies
SEND_TIMEOUT = 10.0  # seconds that a page may take to accept a frame
ANONYMOUS, NO_COMPANY, TOO_SLOW, UNAVAILABLE = 4401, 4403, 4408, 1013


class EventsConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One page of one company, known by its session."""

    async def connect(self) -> None:
        self.tenant = ""
        self.heart: asyncio.Task[None] | None = None
        await self.accept()  # refused afterwards, or the browser would not see the code
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(ANONYMOUS)
        elif user.company_id is None:
            await self.close(NO_COMPANY)
        else:
            await self._join(str(user.company_id))

    async def _join(self, tenant: str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self.channel_layer.group_add(group(tenant), self.channel_name)
        except Exception:  # Redis is away, in one of its many ways: the page tries again
            await self.close(UNAVAILABLE)
            return
        self.tenant = tenant
        # After joining: what happens from here on wakes the page, what happened before is below the head.
        await self._frame({"type": "hello", "head": await head(tenant)})
        self.heart = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        if self.heart:
            self.heart.cancel()
        if self.tenant:
            with contextlib.suppress(Exception):  # Redis is away: the group ends with the connection
                await self.channel_layer.group_discard(group(self.tenant), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """A page says only `ping`. Anything else is ignored: nothing is done on a socket."""
        if self.tenant and text_data is not None and len(text_data) <= 100 and "ping" in text_data:
            await self._frame({"type": "pong"})

    async def wake(self, message: Wake) -> None:
        """A wake-up of the group."""
        await self._frame(message)

    async def _beat(self) -> None:
        """Tell the head, for as long as the session that opened the socket still stands."""
        try:
            while True:
                await asyncio.sleep(HEARTBEAT)
                if await tenant_of(self.scope["session"].session_key) != self.tenant:
                    await self.close(ANONYMOUS)
                    return
                await self._frame({"type": "head", "head": await head(self.tenant)})
        except DatabaseError:
            await self.close(UNAVAILABLE)

    async def _frame(self, frame: Wake | dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self.send(text_data=json.dumps(frame))
        except TimeoutError:  # it does not read: better gone than filling memory; it comes back to a fresh head
            await self.close(TOO_SLOW)


@database_sync_to_async  # type: ignore[untyped-decorator]
def tenant_of(session_key: str) -> str:
    """The tenant whose user a session has now: empty after log-out, a changed password, or a lock-out."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    user = get_user(request)
    return str(user.company_id) if isinstance(user, User) and user.is_active and user.company_id else ""


@database_sync_to_async  # type: ignore[untyped-decorator]
def head(tenant: str) -> int:
    """The id of the tenant's latest event, 0 where there is none."""
    latest = OutboxEvent.objects.filter(tenant=tenant).order_by("-id").values_list("id", flat=True).first()
    return latest or 0
