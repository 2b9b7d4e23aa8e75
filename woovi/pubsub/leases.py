"""Limits of a subject's (user's, company's) connections in all processes: each connection holds a lease and renews it.

The places of a process that crashed are free when their leases end.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

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
        with contextlib.suppress(RedisError):  # their leases end
            for subject in self.limits:
                await aclient("channels").zrem(key(subject), self.connection)


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
