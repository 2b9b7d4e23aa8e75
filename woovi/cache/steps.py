"""Each operation of a cache is written once, as a generator of steps. `drive` runs it in a thread, `adrive` in a task."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from woovi import redis
from woovi.cache import news
from woovi.redis import Script
from woovi.threads import gives_back

Steps = Generator[Any, Any, Any]


@dataclass(slots=True)
class Ask:
    """Run a script on Redis."""

    script: Script
    keys: list[str]
    args: list[Any]

    def run(self) -> Any:
        return self.script(redis.client("cache"), self.keys, self.args)


@dataclass(slots=True)
class Load:
    """Call the loader, a function or a coroutine function, from a thread or a task."""

    loader: Callable[..., Any]
    parts: dict[str, Any]

    def run(self) -> Any:
        loader = async_to_sync(self.loader) if inspect.iscoroutinefunction(self.loader) else self.loader
        return loader(**self.parts)

    async def arun(self) -> Any:
        if inspect.iscoroutinefunction(self.loader):
            return await self.loader(**self.parts)
        return await sync_to_async(gives_back(self.loader), thread_sensitive=False)(**self.parts)


@dataclass(slots=True)
class Listen:
    """Begin to wait for an entry. The answer is a ring, which rings when the entry gets a value."""

    entry: str

    def run(self) -> news.Ring:
        return news.news.listen(self.entry, news.ThreadRing())

    async def arun(self) -> news.Ring:
        return news.news.listen(self.entry, news.TaskRing())


@dataclass(slots=True)
class Sleep:
    """Sleep until the ring rings, for at most `seconds`."""

    ring: Any
    seconds: float

    def run(self) -> None:
        self.ring.wait(self.seconds)

    async def arun(self) -> None:
        await self.ring.wait(self.seconds)


@dataclass(slots=True)
class Join:
    """Wait for another caller's load in this process. Raises TimeoutError after `seconds`."""

    flight: Future[Any]
    seconds: float

    def run(self) -> Any:
        return self.flight.result(self.seconds)

    async def arun(self) -> Any:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self.flight)), self.seconds)


@dataclass(slots=True)
class Aside:
    """Run steps in the background. The counts tell of a failure."""

    steps: Steps

    def run(self) -> None:
        _crew().submit(gives_back(drive), self.steps)

    async def arun(self) -> None:
        task = asyncio.get_running_loop().create_task(adrive(self.steps))
        _tasks.add(task)
        task.add_done_callback(_done)


def drive(steps: Steps) -> Any:
    """Run the steps in this thread, and return their result."""
    try:
        step = next(steps)
        while True:
            try:
                answer = step.run()
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        return end.value


async def adrive(steps: Steps) -> Any:
    """Run the steps in this task, and return their result."""
    try:
        step = next(steps)
        while True:
            try:
                # Run directly, because every hit runs this step: a further coroutine would make it slower.
                asks = type(step) is Ask
                answer = await (
                    step.script.acall(redis.aclient("cache"), step.keys, step.args) if asks else step.arun()
                )
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        return end.value


_tasks: set[asyncio.Task[Any]] = set()  # a loop keeps only weak references
_pools: dict[int, ThreadPoolExecutor] = {}  # by process id: a forked child does not have its parent's threads


def _done(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as seen, or asyncio would log it


def _crew() -> ThreadPoolExecutor:
    """The threads of background refreshes: a slow API can hold these four, and no request's thread."""
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools.setdefault(os.getpid(), ThreadPoolExecutor(4, "woovi-cache"))
    return pool
