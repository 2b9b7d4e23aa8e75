"""The connection for wake-ups: one pub/sub connection a process. The hub finds missed ones by asking PostgreSQL.

Every node of a Cluster gets what is published at any other, so the first node that answers will do. The layers of
channels_redis were rejected: one drops messages for a full queue, the other queues without bound, and neither asks the next
node of a Cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import replace

import redis.asyncio
from redis.exceptions import RedisError

from woovi.pubsub.carrier import CHANNEL
from woovi.redis import address
from woovi.redis.clients import aconnect

SILENCE = 1.0  # seconds after which the connection must prove that it lives, and the same again for its answer
RETRY = 0.2  # seconds, at most: full jitter


class Listener:
    """Calls `heard(text)` for each message, `again()` when it has subscribed, and `deaf()` when the connection is lost."""

    def __init__(self, heard: Callable[[str], None], again: Callable[[], None], deaf: Callable[[], None]) -> None:
        self.heard, self.again, self.deaf = heard, again, deaf
        self.hears = False

    async def run(self) -> None:
        """Listen until cancelled."""
        turn = 0
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._listen(_client(turn))
            self.deaf()
            turn += 1
            await asyncio.sleep(random.uniform(0, RETRY))  # noqa: S311

    async def _listen(self, client: redis.asyncio.Redis) -> None:
        pubsub = client.pubsub()
        try:
            await pubsub.subscribe(CHANNEL)
            pinged = False
            while True:
                message = await pubsub.get_message(timeout=SILENCE)
                if message is None:
                    if pinged:
                        return
                    await pubsub.ping()
                    pinged = True
                    continue
                pinged = False
                if message["type"] == "subscribe":
                    self.hears = True
                    self.again()
                elif message["type"] == "message":
                    self.heard(message["data"].decode())
        finally:
            self.hears = False
            await pubsub.aclose()  # type: ignore[no-untyped-call]
            await client.aclose(close_connection_pool=True)


def _client(turn: int) -> redis.asyncio.Redis:
    place = address("channels")
    if place.topology == "cluster":
        place = replace(place, topology="standalone", hosts=(place.hosts[turn % len(place.hosts)],))
    return aconnect("channels", place)
