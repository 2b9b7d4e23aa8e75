"""For every WebSocket and SSE connection: it takes a place, and ends when its visitor's access ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator

from django.db import Error as DatabaseError
from django.utils import timezone

from realtime.access import Visitor
from woovi.pubsub import Hub, Places, places

HEARTBEAT = 25.0  # seconds, below the idle time-outs of common proxies
PER_VISITOR = 20  # connections of one user or application, at all servers together
PER_COMPANY = 500


class Admission:
    """A visitor who was let in."""

    def __init__(self, visitor: Visitor, hub: Hub, held: Places, revoked: asyncio.Event) -> None:
        self.visitor, self.hub, self.held, self.revoked = visitor, hub, held, revoked

    async def heartbeats(self) -> AsyncIterator[None]:
        """Yield every HEARTBEAT while the visitor may stay. Access is checked then, and whenever it is revoked."""
        while True:
            pause = self._pause()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.revoked.wait()
            called = self.revoked.is_set()
            self.revoked.clear()
            if not await self._may_stay():
                return
            if not called:
                await self.held.renew()
                yield

    def _pause(self) -> float:
        """Seconds until the next check: a heartbeat, with jitter, or until the session's end if that is sooner."""
        pause = random.uniform(0.8, 1) * HEARTBEAT  # noqa: S311
        if self.visitor.expires_at is None:
            return pause
        left = (self.visitor.expires_at - timezone.now()).total_seconds()
        return min(pause, max(left, 0) + 0.05)

    async def _may_stay(self) -> bool:
        try:
            found = await self.hub.reader.database(self.visitor.check)
        except DatabaseError:
            return True  # keep the connection; the next check decides
        if found is None or (found.subject, found.tenant) != (self.visitor.subject, self.visitor.tenant):
            return False
        self.visitor = found
        return True


@contextlib.asynccontextmanager
async def admitted(visitor: Visitor, hub: Hub) -> AsyncIterator[Admission]:
    """Let a visitor in for as long as the body runs. Raises woovi.pubsub.NoPlace."""
    limits = {visitor.subject: PER_VISITOR, f"company {visitor.tenant}": PER_COMPANY}
    with hub.watch(visitor.subject) as revoked:
        async with places(str(uuid.uuid4()), limits) as held:
            yield Admission(visitor, hub, held, revoked)
