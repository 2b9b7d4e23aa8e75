"""The lock: rows, one owner, one lease. `with Lock(("invoice", 7)) as lock:`, or `async with`.

What an acquisition says to Redis is written once, as a generator of steps (`_take`), and driven twice: by a thread
(`_drive`) and by a task (`_adrive`).
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import random
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from redis.cluster import RedisCluster
from redis.exceptions import RedisError

from woovi import redis
from woovi.locks import metrics, names, renewal, wake
from woovi.locks.errors import LockLost, LockNotAvailable, LocksUnavailable
from woovi.locks.names import Row
from woovi.locks.scripts import ACQUIRE, EXTEND, RELEASE
from woovi.redis import Script

GRANT = 1.0  # seconds that a handed-over row is its waiter's, which may be dead
DRIFT = 0.003  # seconds by which Redis may end a lease before we think so: it counts whole ms, from a cached clock
CROWDED = 0.1  # seconds after a wait in which this process takes the long way at once
GRANT_MS = int(GRANT * 1000)
POLL = 0.25  # seconds after which a waiter asks by itself; jittered, and no later than the holder's lease ends
WITHOUT_REDIS = "without-redis"
DEAF_POLL = 0.02  # the same while this process does not hear hand-overs

# The locks of this task (or thread), by row: what makes them re-entrant.
_here: contextvars.ContextVar[dict[Row, Lock]] = contextvars.ContextVar("woovi_locks", default={})  # noqa: B039


@dataclass(slots=True)
class Ask:
    """A step: run a script. It is safe to run it twice."""

    script: Script
    keys: list[str]
    args: list[Any]


@dataclass(slots=True)
class Pause:
    """A step: sleep until the ring or for `seconds`. Answers whether it rang."""

    seconds: float


Steps = Generator[Ask | Pause, Any, None]


class Lock:
    """Exclusive right to some rows, first come first served.

    A wait takes the rows in their order and keeps what it has, so no two waits can block each other.

    Args:
        rows: (label, pk) each; a pk is compared as its own type.
        timeout: seconds to wait.
        lease: seconds after which Redis gives the rows to others, whatever became of us.
        nowait: refuse at once instead of waiting; takes all rows or none.
        skip_locked: take the rows that are free (`fences` says which) and never wait.
        fair: never take a row before one who waits for it, even when a lease just ended and it is free.
        auto_renew: renew at a third of the lease, for `max_hold` seconds at most.
    """

    def __init__(
        self, *rows: tuple[str, Any], timeout: float = 2.0, lease: float = 10.0, nowait: bool = False,
        skip_locked: bool = False, fair: bool = False, auto_renew: bool = False, max_hold: float = 60.0,
    ) -> None:  # fmt: skip
        if nowait and skip_locked:
            raise ValueError("nowait and skip_locked exclude each other")
        if not rows:
            raise ValueError("a lock needs a row")
        self.rows = sorted({Row(*row) for row in rows}) if len(rows) > 1 else [Row(*rows[0])]
        self.labels = {row.label for row in self.rows}
        self.fences: dict[Row, int] = {}  # what is held, and with which fence
        self.lost = False
        self.timeout, self._lease, self._max_hold = timeout, lease, max_hold
        self.nowait, self.skips = nowait, skip_locked
        self._mode = "some" if skip_locked else "all" if nowait else "wait"
        self._terms = [int(lease * 1000), int(timeout * 1000)]  # ms
        self._fair, self._auto_renew = int(fair), auto_renew
        self._owner = ""  # "" while nothing is, or may be, ours
        self._outer: Lock | None = None
        self._context: object = None
        self._groups: list[tuple[list[Row], list[str]]] = []
        self._in_cluster = self._maybe_given_back = False
        self._ring: Any = None  # ThreadRing or TaskRing, as the driver needs
        self._home: wake.Listener | None = None  # of the process that took it; a forked child has another
        self._taken_at = self._ends = self._until = 0.0

    # ── what the holder calls ────────────────────────────────────────────────────────────────────────────────────

    def acquire(self) -> Self:
        """Raises LockNotAvailable, or LocksUnavailable where Redis does not answer; nothing is held then."""
        if not self._begin():
            if not self._take_at_once():
                self._drive(self._take(wake.ThreadRing))
            self._entered()
        return self

    async def aacquire(self) -> Self:
        """`acquire` for a task. A cancelled one holds nothing."""
        if not self._begin():
            await self._adrive(self._take(wake.TaskRing))
            self._entered()
        return self

    def release(self) -> None:
        """Give back what is held. Does nothing the second time, nor in a forked child."""
        if self._leave() and not self._give_back_at_once():
            self._drive(self._give_back())

    async def arelease(self) -> None:
        """`release` for a task; a cancelled one has still given back."""
        if self._leave():
            await unbroken(self._adrive(self._give_back()))

    def check(self) -> None:
        """Raises LockLost if the rows may be somebody else's by now. Asks nobody: our own clock says enough."""
        held = self._outer or self
        if held.lost or held._home is not wake.listener or not held._owner or time.monotonic() > held._ends:
            raise LockLost(f"{', '.join(map(names.key, self.rows))} may be somebody else's")

    def raise_fences(self, floors: dict[Row, int]) -> bool:
        """Make our fences greater than `floors`, as long as the rows are ours. Returns whether they are."""
        if self._outer:
            return self._outer.raise_fences(floors)
        self.extend(floors)
        return not self.lost and all(self.fences.get(row, 0) > floor for row, floor in floors.items())

    def assume(self, fences: dict[Row, int]) -> None:
        """Be the holder by other means than Redis, so that inner locks of this task find it."""
        self._context, self._home, self._owner = _context(), wake.listener, WITHOUT_REDIS
        self.fences |= fences
        self._ends = time.monotonic() + self._lease
        _here.set(_here.get() | dict.fromkeys(fences, self))

    def move_here(self) -> None:
        """From now on this thread is the holder, to whom inner locks are re-entrant."""
        self._context = _context()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return await self.aacquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.arelease()

    # ── taking and giving back ───────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> bool:
        """Whether an outer lock of this very task holds the rows already. Its fences are ours then."""
        if self._owner or self._outer:
            raise RuntimeError("this lock is in use: make one for each acquisition")
        self._context = _context()
        if _here.get() and (outer := self.find_outer()):
            self._outer, self.fences = outer, {row: outer.fences[row] for row in self.rows}
            return True
        self._home = wake.listener
        self._until = time.monotonic() + self.timeout
        self._owner, self.lost, self._maybe_given_back = self._home.new_owner(), False, False
        return False

    def find_outer(self) -> Lock | None:
        """The lock of this task that holds our rows already. Raises RuntimeError where it holds only some of them."""
        here = _context()
        held = {row: lock for row, lock in _here.get().items() if lock._context == here and lock.alive}
        mine = [held[row] for row in self.rows if row in held]
        if not mine:
            return None
        if len(mine) < len(self.rows) or len(set(map(id, mine))) > 1:
            raise RuntimeError("a lock inside another may only lock what that one holds: take all rows in the outer")
        return mine[0]

    @property
    def nested(self) -> bool:
        """Whether an outer lock of this task holds the rows for us."""
        return self._outer is not None

    @property
    def patience(self) -> float:
        """Seconds left of its timeout, for the wait that may follow in the database."""
        return self._until - time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether it is held, by this process."""
        return bool(self._owner) and self._home is wake.listener

    def _take_at_once(self) -> bool:
        """The short way of a thread that meets nobody: half of a lock's price was the long way's steps.

        False: nothing is known to be taken, and the long way begins, which asks again.
        """
        try:
            self._groups = self._grouped()
        except LocksUnavailable:
            self._owner = ""
            raise
        ((group, keys), *more) = self._groups
        if more or self._mode != "wait" or time.monotonic() < wake.listener.crowded_until:
            return False
        asked, (lease, patience) = time.monotonic(), self._terms
        try:
            *fences, left = ACQUIRE(redis.client("locks"), keys, [self._owner, lease, "all", patience, self._fair])
        except (RedisError, OSError):
            return False
        except BaseException:
            self._drive(self._give_back())
            raise
        if left:
            return False
        self.fences = dict(zip(group, fences, strict=True))
        self._ends = asked + self._lease - DRIFT
        self._taken_at = time.monotonic()
        metrics.waited(self.labels, self._taken_at - asked)
        return True

    def _give_back_at_once(self) -> bool:
        ((group, keys), *more) = self._groups
        if more:
            return False
        ends = [self._owner, *self._terms, GRANT_MS, 0 if self._in_cluster else 1]
        try:
            reply = RELEASE(redis.client("locks"), keys, ends)
        except (RedisError, OSError):
            self._maybe_given_back = True  # asked again, "not yours" is no news
            return False
        self._given_back(self._handed_over(group, reply) >= len(self.fences))
        return True

    def _handed_over(self, group: list[Row], reply: list[Any]) -> int:
        """Wake whom the release names in this process. Returns how many rows were ours until now."""
        for message in reply[len(group) :]:
            wake.listener.heard(message)
        return sum(1 for row, fence in zip(group, reply, strict=False) if fence and row in self.fences)

    def _take(self, ring: type[wake.ThreadRing | wake.TaskRing]) -> Steps:
        began = time.monotonic()
        try:
            self._groups = self._grouped()
            for group, keys in self._groups:
                yield from self._take_group(group, keys, began, ring)
        except BaseException as error:
            if isinstance(error, LockNotAvailable):
                metrics.count(self.labels, "refused")
            try:
                yield from self._give_back()
            except LocksUnavailable:
                pass  # its lease ends it
            raise
        finally:
            wake.listener.rings.pop(self._owner, None)
        self._taken_at = time.monotonic()
        metrics.waited(self.labels, self._taken_at - began)

    def _grouped(self) -> list[tuple[list[Row], list[str]]]:
        """Rows that one script may take at once, and its KEYS: all, but in a Cluster each row has a slot of its own."""
        self._in_cluster = _is_cluster()
        groups = [[row] for row in self.rows] if self._in_cluster else [self.rows]
        return [(group, names.keys(group)) for group in groups]

    def _take_group(
        self, group: list[Row], keys: list[str], began: float, ring: type[wake.ThreadRing | wake.TaskRing]
    ) -> Steps:
        listener = wake.listener
        # Nobody is handed a row that could not hear it: the first time, a process only looks.
        mode = self._mode if self._mode != "wait" or listener.hears.is_set() else "all"
        if mode == "wait":
            self._ring = listener.rings[self._owner] = ring()
        while True:
            asked = time.monotonic()
            lease, patience = self._terms
            *fences, left = yield Ask(ACQUIRE, keys, [self._owner, lease, mode, patience, self._fair])
            if not left or mode == "some":
                self._hold(zip(group, fences, strict=True), asked + self._lease - DRIFT)
                return
            remaining = began + self.timeout - time.monotonic()
            if self._mode == "all" or remaining <= 0:
                raise LockNotAvailable(f"{', '.join(map(names.key, group))}: held by another")
            if mode == "all":
                self._ring = listener.rings[self._owner] = ring()
                listener.start()
                mode = "wait"
                continue
            poll = POLL if listener.hears.is_set() else DEAF_POLL
            listener.crowded_until = asked + CROWDED
            rang = yield Pause(min(poll * random.uniform(0.5, 1), remaining, left / 1000 + 0.001))  # noqa: S311
            if rang and len(group) == 1 and time.monotonic() < asked + GRANT / 2:
                # Handed over since we asked, so for GRANT / 2 at least it is surely ours: no need to ask again.
                key, fence = self._ring.handed
                if key == keys[0]:
                    self._hold([(group[0], fence)], asked + min(GRANT, self._lease) - DRIFT)
                    return

    def _hold(self, fences: Any, ends: float) -> None:
        self.fences |= {row: fence for row, fence in fences if fence}
        self._ends = min(self._ends, ends) if len(self.fences) > 1 and self._ends else ends

    def _entered(self) -> None:
        _here.set(_here.get() | dict.fromkeys(self.fences, self))
        left = self._ends - self._taken_at
        if self._auto_renew or left < self._lease / 2:
            renewal.renewer.watch(self, left / 3)

    def _leave(self) -> bool:
        """Whether there is something to give back to Redis."""
        if self._outer:
            self._outer, self.fences = None, {}
            return False
        if not self.alive:
            return False
        _here.set({row: lock for row, lock in _here.get().items() if lock is not self})
        renewal.renewer.forget(self)
        if self._owner == WITHOUT_REDIS:
            self._owner, self.fences = "", {}
        return bool(self._owner)

    def _give_back(self) -> Steps:
        """For each group, also those that we only waited for. May be called again after it failed."""
        ends = [self._owner, *self._terms, GRANT_MS, 0 if self._in_cluster else 1]
        kept, cancelled = 0, None
        for group, keys in self._groups:
            try:
                reply = yield Ask(RELEASE, keys, ends)
            except asyncio.CancelledError as error:  # this group was given back (see _adrive); the others are next
                cancelled, kept = error, kept + len(group)
            else:
                kept += self._handed_over(group, reply)
        self._given_back(kept >= len(self.fences))
        if cancelled:
            raise cancelled

    def _given_back(self, kept: bool) -> None:
        if self.fences:
            metrics.held(self.labels, time.monotonic() - self._taken_at)
            if not (kept or self.lost or self._maybe_given_back):
                self._lose()
        self._owner, self.fences = "", {}

    # ── renewal ──────────────────────────────────────────────────────────────────────────────────────────────────

    def extend(self, floors: dict[Row, int] | None = None) -> None:
        """Ask for another lease; for greater fences too, where one is not above its floor."""
        owner, floors, asked = self._owner, floors or {}, time.monotonic()
        found: dict[Row, int] = {}
        answered = True
        try:
            for group, keys in self._groups:
                args: list[Any] = [owner, self._terms[0], *(floors.get(row, 0) for row in group)]
                answer = EXTEND(redis.client("locks"), keys, args)
                found |= {row: fence for row, fence in zip(group, answer, strict=True) if row in self.fences}
        except (RedisError, OSError):
            answered = False
        if self.alive and self._owner == owner:
            self._extended(found if answered else None, asked)

    def _extended(self, fences: dict[Row, int] | None, asked: float) -> None:
        """Take note of an extension's answer; None where Redis gave none. The new lease counts from the question."""
        now = time.monotonic()
        if fences is None:
            if now < self._ends:
                renewal.renewer.watch(self, self._lease / 10)
            elif not self.lost:
                self._lose()
        elif all(fences.values()):
            self.fences, self._ends = fences, asked + self._lease - DRIFT
            if self._auto_renew and now < self._taken_at + self._max_hold:
                renewal.renewer.watch(self, self._lease / 3)
        elif not self.lost:
            self._lose()

    def _lose(self) -> None:
        self.lost = True
        metrics.count(self.labels, "lost")

    # ── the two drivers ──────────────────────────────────────────────────────────────────────────────────────────

    def _drive(self, steps: Steps) -> None:
        client = redis.client("locks")
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._ring.wait(step.seconds) if isinstance(step, Pause) else _run(step, client)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration:
            return

    async def _adrive(self, steps: Steps) -> None:
        client = redis.aclient("locks")
        try:
            step = next(steps)
            while True:
                try:
                    if isinstance(step, Pause):
                        answer: Any = await self._ring.wait(step.seconds)
                    else:
                        # A command that was sent is waited for: cancelled half-way it might be carried out after
                        # the release that follows it.
                        answer = await unbroken(_arun(step, client))
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration:
            return


def _is_cluster() -> bool:
    try:
        return _is_cluster_client(type(redis.client("locks")))
    except (RedisError, OSError) as error:  # a Cluster's client asks for the slots when it is made
        raise LocksUnavailable(f"Redis does not answer: {error}") from error


@functools.cache
def _is_cluster_client(kind: type) -> bool:
    return issubclass(kind, RedisCluster)  # slow: its bases are abstract


def _context() -> object:
    """Who we are: a task, or a thread. A context variable alone is copied into tasks and threads that start here."""
    if asyncio._get_running_loop() is not None:
        return asyncio.current_task()
    return threading.get_ident()


def _run(ask: Ask, client: Any) -> Any:
    try:
        return ask.script(client, ask.keys, ask.args)
    except (RedisError, OSError):
        pass  # the reply may be lost; the same call again has the effect of one
    try:
        return ask.script(client, ask.keys, ask.args)
    except (RedisError, OSError) as error:
        raise LocksUnavailable(f"Redis does not answer: {error}") from error


async def _arun(ask: Ask, client: Any) -> Any:
    try:
        return await ask.script.acall(client, ask.keys, ask.args)
    except (RedisError, OSError):
        pass
    try:
        return await ask.script.acall(client, ask.keys, ask.args)
    except (RedisError, OSError) as error:
        raise LocksUnavailable(f"Redis does not answer: {error}") from error


async def unbroken(work: Any) -> Any:
    """Finish `work` even when the task is cancelled meanwhile; the cancellation is raised after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            break
    if cancelled:
        raise cancelled
    return task.result()
