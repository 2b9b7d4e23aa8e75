"""Wake a waiter when its row was handed to it: one thread and one pub/sub connection for a whole process.

A message may be lost, with its connection or with a server. Nothing depends on one: who waits asks again by itself
(`woovi.locks.lock`), only later.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import secrets
import socket
import threading
import time
from typing import Any, Protocol

from woovi import redis

PING = 5.0  # seconds of silence after which the connection must prove that it lives
RETRY = 0.1  # seconds


class Ring(Protocol):
    """What a waiter sleeps on."""

    def ring(self, key: str, fence: int) -> None: ...


class ThreadRing:
    """A bare lock, which a thread waits for and the listener releases: several times faster than `threading.Event`."""

    def __init__(self) -> None:
        self.handed: tuple[str, int] = ("", 0)  # the key of the row that was handed to us, and its fence
        self._gate = threading.Lock()
        self._gate.acquire()

    def ring(self, key: str, fence: int) -> None:
        self.handed = (key, fence)
        if self._gate.locked():
            self._gate.release()

    def wait(self, seconds: float) -> bool:
        return self._gate.acquire(timeout=max(seconds, 0))


class TaskRing:
    """The same for a task of an event loop, rung from the listener's thread."""

    def __init__(self) -> None:
        self.handed: tuple[str, int] = ("", 0)  # the key of the row that was handed to us, and its fence
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self, key: str, fence: int) -> None:
        self.handed = (key, fence)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return False
        self._rung.clear()
        return True


class Listener:
    """Hears what is handed to this process's waiters. `process` is the first part of their owner ids."""

    def __init__(self) -> None:
        host = re.sub(r"[^\w-]", "-", socket.gethostname())[:40]
        self.process = f"{host}/{os.getpid()}/{secrets.token_hex(6)}"
        self.rings: dict[str, Ring] = {}
        self.hears = threading.Event()
        self.crowded_until = 0.0  # by the monotonic clock: somebody here had to wait a moment ago
        self._numbers = itertools.count(1)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def new_owner(self) -> str:
        """An id that no other acquisition has, in any process."""
        return f"{self.process}.{next(self._numbers)}"

    def start(self) -> None:
        """Begin to listen. Returns at once; `hears` is set when messages arrive."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="woovi-locks-wake", daemon=True)
                self._thread.start()

    def heard(self, message: bytes) -> None:
        """Wake the waiter whom the message, "owner:fence:key", names."""
        owner, fence, key = message.decode().split(":", 2)
        if ring := self.rings.get(owner):
            ring.ring(key, int(fence))

    def _run(self) -> None:
        while listener is self:
            try:
                with redis.client("locks").pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(f"lk:wake:{self.process}")
                    self._listen(pubsub)
            except Exception:  # closed under us by another thread, redis-py raises TypeErrors and what not
                self.hears.clear()
                time.sleep(RETRY)

    def _listen(self, pubsub: Any) -> None:
        pinged = False
        while listener is self:
            message = pubsub.parse_response(block=False, timeout=PING)  # get_message() would dress it up
            if message is None:
                if pinged:
                    raise ConnectionError("silent")
                pubsub.ping()
                pinged = True
                continue
            pinged = False
            if message[0] == b"message":
                self.heard(message[2])
            elif message[0] == b"subscribe":
                self.hears.set()


listener = Listener()


def _in_child() -> None:
    """A forked child has neither the thread nor the right to its parent's locks."""
    global listener
    listener = Listener()


os.register_at_fork(after_in_child=_in_child)
