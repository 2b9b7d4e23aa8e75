"""Threads in which a socket's operations ask the database. One company cannot take all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from woovi.threads import gives_back

T = TypeVar("T")


class Threads:
    """`count` threads, of which each company has `share` at most, however many connections it has."""

    def __init__(self, name: str, count: int = 4, share: int = 2) -> None:
        self._pool, self._share = ThreadPoolExecutor(count, name), share
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, company: str, turn: asyncio.Semaphore, act: Callable[..., T], *args: Any) -> T:
        """`act(*args)` in a thread, once it is the connection's `turn` and its company has a place.

        Who waits can be cancelled. A thread cannot: it keeps turn and place until it ends, so a client that begins and
        completes operations without a pause holds one thread all the same.
        """
        place = self._places.setdefault(company, asyncio.Semaphore(self._share))
        await turn.acquire()
        try:
            await place.acquire()
        except BaseException:
            turn.release()
            raise
        work = asyncio.get_running_loop().run_in_executor(self._pool, partial(gives_back(act), *args))

        def free(_: asyncio.Future[T]) -> None:
            place.release()
            turn.release()

        work.add_done_callback(free)
        return await asyncio.shield(work)
