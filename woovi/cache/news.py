"""What happens in other processes: one thread and one pub/sub connection, begun by the first who asks a cache.

"w:<entry>" wakes who waits for a load; "d:<cache>" empties a local tier. A message may be lost: who waits asks again by
itself, only later, and while nothing is heard there is no local tier. The thread also carries the counts to Redis.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from woovi import redis
from woovi.cache import metrics

PING = 2.0  # seconds of silence after which the connection must prove that it lives, and counts are carried
RETRY = 0.2  # seconds


class Ring:
    """What a waiter sleeps on. `given` is what another waiter of this process was answered meanwhile."""

    given: bytes | None = None
    ring: Callable[[], None]

    def __init__(self) -> None:
        self.since = time.monotonic()


class ThreadRing(Ring):
    def __init__(self) -> None:
        super().__init__()
        self._event = threading.Event()
        self.ring = self._event.set

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)
        self._event.clear()


class TaskRing(Ring):
    def __init__(self) -> None:
        super().__init__()
        self.ring = self._ring
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def _ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        self._event.clear()


class Tier:
    """Stored values that this process serves for a second at most, without asking. Emptied by every invalidation.

    `epoch` counts these: a value that was asked for before one is not put in after it.
    """

    MOST = 10_000

    def __init__(self, seconds: float) -> None:
        self.seconds, self.epoch = seconds, 0
        self._kept: dict[Any, tuple[float, bytes]] = {}

    def get(self, ident: Any) -> bytes | None:
        found = self._kept.get(ident)
        return found[1] if found is not None and time.monotonic() < found[0] and news.hears else None

    def put(self, ident: Any, payload: bytes, epoch: int) -> None:
        if epoch == self.epoch and news.hears:
            if len(self._kept) >= self.MOST:
                self._kept = {}
            self._kept[ident] = (time.monotonic() + self.seconds, payload)

    def empty(self) -> None:
        self.epoch += 1
        self._kept = {}


class News:
    def __init__(self) -> None:
        self._rings: dict[str, dict[Ring, None]] = {}  # in order
        self.tiers: dict[str, Tier] = {}
        self.hears = False
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen. Returns at once; `hears` says when messages arrive."""
        if self._thread is not None:
            return
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-cache-news", daemon=True)
                self._thread.start()

    def listen(self, entry: str, ring: Ring) -> Ring:
        """Ring it whenever the entry was filled, until `remove`."""
        self.start()
        with self._mutex:
            self._rings.setdefault(entry, {})[ring] = None
        return ring

    def remove(self, entry: str, ring: Ring) -> None:
        """Whose wait is over. The next one looks, if there still is one."""
        with self._mutex:
            rings = self._rings.get(entry, {})
            rings.pop(ring, None)
            if not rings:
                self._rings.pop(entry, None)
        self.wake(entry)

    def wake(self, entry: str) -> None:
        """Wake the first of this process's waiters for an entry. It tells the others what it was answered."""
        with self._mutex:
            first = next(iter(self._rings.get(entry, ())), None)
        if first:
            first.ring()

    def hand(self, entry: str, payload: bytes, asked: float) -> None:
        """Give this process's waiters what was answered to a question that was `asked` after they began to wait."""
        with self._mutex:
            rings = [ring for ring in self._rings.get(entry, ()) if ring.since <= asked]
        for ring in rings:
            ring.given = payload
            ring.ring()

    def heard(self, message: str) -> None:
        kind, _, what = message.partition(":")
        if kind == "w":
            self.wake(what)
        elif tier := self.tiers.get(what):
            tier.empty()

    def _run(self) -> None:
        while news is self:
            try:
                with redis.client("cache").pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe("c:news")
                    self._listen(pubsub)
            except Exception:  # closed under us by another thread, redis-py raises TypeErrors and what not
                self._deaf()
                time.sleep(RETRY)

    def _listen(self, pubsub: Any) -> None:
        pinged, quiet_at = False, time.monotonic() + PING
        while news is self:
            message = pubsub.parse_response(block=False, timeout=max(quiet_at - time.monotonic(), 0.001))
            if time.monotonic() >= quiet_at:
                quiet_at = time.monotonic() + PING
                metrics.flush()
            if message is None:
                if pinged:
                    raise ConnectionError("silent")
                pubsub.ping()
                pinged = True
                continue
            pinged = False
            if message[0] == b"message":
                self.heard(message[2].decode())
            elif message[0] == b"subscribe":
                self._deaf()  # what was kept before may have been dropped unheard
                self.hears = True

    def _deaf(self) -> None:
        self.hears = False
        for tier in self.tiers.values():
            tier.empty()


news = News()


def _in_child() -> None:
    """A forked child has its parent's caches, and not its thread."""
    global news
    tiers, news = news.tiers, News()
    news.tiers = tiers
    news._deaf()


os.register_at_fork(after_in_child=_in_child)
