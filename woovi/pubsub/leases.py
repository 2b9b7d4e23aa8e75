"""Limits of a subject's (user's, company's) connections in all processes: each connection holds a lease and renews it.

The places of a process that crashed are free when their leases end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError

from woovi.pubsub.metrics import count
from woovi.pubsub.stream import HOLD
from woovi.redis import aclient

LEASE = 60.0  # seconds

logger = logging.getLogger(__name__)


class NoPlace(Exception):
    """All places of the subject are taken."""


def key(subject: str) -> str:
    """The Redis key of the subject's places."""
    return f"ps:places:{{{subject}}}"


class Places:
    """The places that one connection holds."""

    def __init__(self, connection: str, limits: Mapping[str, int]) -> None:
        self.connection, self.limits = connection, limits

    async def renew(self) -> None:
        """Keep the places for another LEASE. Call it at least twice in that time."""
        for subject in self.limits:
            await self._hold(subject)

    async def _take(self) -> None:
        for subject in self.limits:
            if not await self._hold(subject):
                count("refused")
                raise NoPlace(subject)

    async def _hold(self, subject: str) -> bool:
        lease, limit = int(LEASE * 1000), self.limits[subject]
        try:
            return bool(await HOLD.acall(aclient("channels"), [key(subject)], [self.connection, lease, limit]))
        except RedisError as error:
            logger.warning("connections of %s are not counted: %s", subject, error)
            return True

    async def _leave(self) -> None:
        await _leaving.setdefault(asyncio.get_running_loop(), Leaving()).give_back(self)


class Leaving:
    """Gives places back, of all connections that end in the meantime together, by one link to Redis.

    When a network fails, thousands of connections end at once. If each waited for a link of its own, most would give up, and
    their people, who are back at once, would be refused until the leases end.
    """

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[str]] = defaultdict(list)  # connections by key
        self._next: asyncio.Task[None] | None = None  # gives back what waits
        self._turn = asyncio.Lock()

    async def give_back(self, held: Places) -> None:
        """Return once they are given back, or Redis did not answer."""
        for subject in held.limits:
            self._waiting[key(subject)].append(held.connection)
        self._next = self._next or asyncio.create_task(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        async with self._turn:
            waiting, self._waiting, self._next = self._waiting, defaultdict(list), None
            for place, connections in waiting.items():
                with contextlib.suppress(RedisError):  # their leases end
                    await aclient("channels").zrem(place, *connections)


_leaving: WeakKeyDictionary[asyncio.AbstractEventLoop, Leaving] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def places(connection: str, limits: Mapping[str, int]) -> AsyncIterator[Places]:
    """Hold a place of each subject, of `limits[subject]`, while the body runs. Raises NoPlace naming the subject.

    connection: a name that no other connection has. Without Redis everybody is let in.
    """
    held = Places(connection, limits)
    try:
        await held._take()
        yield held
    finally:
        await held._leave()
