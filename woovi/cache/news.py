"""Messages from other processes, by one thread with one pub/sub connection. The first reader of a cache starts it.

"w:<entry>" wakes those who wait for a load. "d:<cache>" empties a local tier. A message may be lost: waiters also ask again
by themselves, and no local tier is used while the connection is down. The thread also carries the counts to Redis.
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

PING = 2.0  # seconds between two PINGs of a silent connection, and between two flushes of the counts
RETRY = 0.2  # seconds until the next try to connect


class Ring:
    """An event that a waiter sleeps on. `given` is the entry's value, if another waiter of this process got it first."""

    given: bytes | None = None
    ring: Callable[[], None]

    def __init__(self) -> None:
        self.since = time.monotonic()


class ThreadRing(Ring):
    """A ring that a thread waits for."""

    def __init__(self) -> None:
        super().__init__()
        self._event = threading.Event()
        self.ring = self._event.set

    def wait(self, seconds: float) -> None:
        self._event.wait(seconds)
        self._event.clear()


class TaskRing(Ring):
    """A ring that a task of one event loop waits for."""

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
    """Values that this process serves from memory for at most `seconds`. Every invalidation empties it.

    `epoch` counts the invalidations: a value that was read before one is not put in after it.
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
    """This process's waiters and local tiers, and the thread that listens for them."""

    def __init__(self) -> None:
        self._rings: dict[str, dict[Ring, None]] = {}  # in order
        self.tiers: dict[str, Tier] = {}
        self.hears = False
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, if there is none. Returns at once; `hears` turns true when messages arrive."""
        if self._thread is not None:
            return
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-cache-news", daemon=True)
                self._thread.start()

    def listen(self, entry: str, ring: Ring) -> Ring:
        """Call `ring.ring()` whenever the entry gets a value, until `remove`. Returns the ring."""
        self.start()
        with self._mutex:
            self._rings.setdefault(entry, {})[ring] = None
        return ring

    def remove(self, entry: str, ring: Ring) -> None:
        """Stop ringing a waiter whose wait is over, and wake the entry's next waiter."""
        with self._mutex:
            rings = self._rings.get(entry, {})
            rings.pop(ring, None)
            if not rings:
                self._rings.pop(entry, None)
        self.wake(entry)

    def wake(self, entry: str) -> None:
        """Wake the first of this process's waiters for an entry. It asks Redis, and hands the others the answer."""
        with self._mutex:
            first = next(iter(self._rings.get(entry, ())), None)
        if first:
            first.ring()

    def hand(self, entry: str, payload: bytes, asked: float) -> None:
        """Give the entry's value to this process's waiters that began to wait before it was read.

        asked: when Redis was asked for it, by the monotonic clock, in seconds.
        """
        with self._mutex:
            rings = [ring for ring in self._rings.get(entry, ()) if ring.since <= asked]
        for ring in rings:
            ring.given = payload
            ring.ring()

    def heard(self, message: str) -> None:
        """Do what a message says."""
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
                self._deaf()  # invalidations before the subscription were not heard
                self.hears = True

    def _deaf(self) -> None:
        self.hears = False
        for tier in self.tiers.values():
            tier.empty()


news = News()


def _in_child() -> None:
    """A forked child has its parent's caches but not its thread."""
    global news
    tiers, news = news.tiers, News()
    news.tiers = tiers
    news._deaf()


os.register_at_fork(after_in_child=_in_child)
