"""The lock: rows, one owner, one lease. `with Lock(("invoice", 7)) as lock:`, or `async with`.

One script asks for the rows. Who finds one busy waits in the server's own line for it (BLPOP on the row's "hand"), into
which the script that gives the row back pushes the next fence. What threads and tasks do is the same: see `acquire` and
`aacquire`.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisError

from woovi import redis
from woovi.locks import metrics, names
from woovi.locks.errors import LockLost, LockNotAvailable, LocksUnavailable
from woovi.locks.later import later
from woovi.locks.names import Row
from woovi.redis import Script
from woovi.redis.waiting import AsyncWaiting, Waiting

ACQUIRE, RELEASE = (Script(Path(__file__).parent / "lua" / f"{name}.lua") for name in ("acquire", "release"))
AWAY = (RedisError, OSError)

GRANT = 1.0  # seconds that a handed-over row is its taker's, which may be dead
TURN = GRANT / 2  # seconds after which a waiter asks again, in its place: whoever was served may be dead, or the server
RETRY = 0.02  # seconds between two questions where there is no place in the server's line
EARLY = 0.1  # seconds before ours by which the server ends our wait, so that it hands nothing to one that went
DRIFT = 0.003  # seconds by which Redis may end a lease before we think so: it counts whole ms, from a cached clock

# The locks of this task (or thread), by row: what makes them re-entrant.
_here: contextvars.ContextVar[dict[Row, Lock]] = contextvars.ContextVar("woovi_locks", default={})  # noqa: B039
WITHOUT_REDIS = "without-redis"


class Lock:
    """Exclusive right to some rows, first come first served.

    A wait takes the rows in their order and keeps what it has, so no two waits can block each other.

    Args:
        rows: (label, pk) each; a pk is compared as its own type.
        timeout: seconds to wait.
        lease: seconds after which Redis gives the rows to others, whatever became of us.
        nowait: refuse at once instead of waiting; takes all rows or none.
        max_hold: seconds for which the lease is renewed, at a third of it.
    """

    def __init__(
        self, *rows: tuple[str, Any], timeout: float = 2.0, lease: float = 10.0, nowait: bool = False,
        max_hold: float = 0.0,
    ) -> None:  # fmt: skip
        if not rows:
            raise ValueError("a lock needs a row")
        self.rows = sorted({Row(*row) for row in rows}) if len(rows) > 1 else [Row(*rows[0])]
        self._keys = names.keys(self.rows)
        self.labels = {row.label for row in self.rows}
        self.fences: dict[Row, int] = {}  # what is held, and with which fence
        self.lost = self.claimed = False  # claimed: the database knows these fences
        self.timeout, self._lease, self._nowait, self._max_hold = timeout, lease, nowait, max_hold
        self._owner = ""  # "" while nothing is, or may be, ours
        self._process = ""  # that took it; a forked child is another
        self._context: object = None
        self._outer: Lock | None = None
        self._until = self._asked = self._waited = self._taken_at = self._ends = self._renew_until = 0.0
        self._mutex = threading.Lock()  # between its holder and the thread that renews its lease
        self._busy = (0, 0.0)  # fence and seconds of lease of whoever held the row when we asked
        self._renewed = self._repeated = False

    # ── taking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def acquire(self) -> Self:
        """Raises LockNotAvailable, or LocksUnavailable where Redis does not answer; nothing is held then."""
        if self._begin():
            try:
                for rows in self._steps():
                    if self._is_busy(rows, self._run(ACQUIRE, *self._asks(rows))) and len(rows) == 1:
                        self._wait(rows)
            except BaseException as error:
                self._failed(error)
                self._give_back()
                raise
            self._entered()
        return self

    def _wait(self, rows: list[Row]) -> None:
        with Waiting(redis.client("locks"), names.key(rows[0])) as place:
            while True:
                try:
                    if self._is_handed(rows, place.answer(*self._turn(rows))):
                        return
                except AWAY:  # such as UNBLOCKED, after a failover
                    time.sleep(RETRY)
                if not self._is_busy(rows, self._run(ACQUIRE, *self._asks(rows))):
                    return

    async def aacquire(self) -> Self:
        """`acquire` for a task. A cancelled one holds nothing."""
        if self._begin():
            try:
                for rows in self._steps():
                    if self._is_busy(rows, await unbroken(self._arun(ACQUIRE, *self._asks(rows)))) and len(rows) == 1:
                        await self._await(rows)
            except BaseException as error:
                self._failed(error)
                await unbroken(self._agive_back())
                raise
            self._entered()
        return self

    async def _await(self, rows: list[Row]) -> None:
        async with AsyncWaiting(redis.aclient("locks"), names.key(rows[0])) as place:
            while True:
                try:
                    if self._is_handed(rows, await place.answer(*self._turn(rows))):
                        return
                except AWAY:
                    await asyncio.sleep(RETRY)
                if not self._is_busy(rows, await unbroken(self._arun(ACQUIRE, *self._asks(rows)))):
                    return

    def _begin(self) -> bool:
        """Whether there is something to take. Else an outer lock of this very task holds the rows: its fences are ours."""
        if self._owner or self._outer:
            raise RuntimeError("this lock is in use: make one for each acquisition")
        self._context = _context()
        if _here.get() and (outer := self.find_outer()):
            self._outer, self.fences = outer, outer.fences
            return False
        self._process, self._owner = names.process(), names.new_owner()
        self._until = self._renew_until = time.monotonic() + self.timeout
        self.lost = self.claimed = self._renewed = False
        return True

    def _steps(self) -> Iterator[list[Row]]:
        """The rows that are asked for at once: all, where that may be; where one was busy, each in its turn."""
        if len(_groups(self.rows)) < len(self.rows):
            yield self.rows
        if len(self.rows) == 1:
            yield self.rows
        elif not self.fences:
            for row in self.rows:
                yield [row]

    def _asks(self, rows: list[Row]) -> tuple[list[Row], list[Any]]:
        self._asked = time.monotonic()
        return rows, self._terms("all" if self._nowait or len(rows) > 1 else "wait")

    def _terms(self, mode: str, floor: int = 0) -> list[Any]:
        return [self._owner, int(self._lease * 1000), int(self.timeout * 1000), mode, floor]

    def _is_busy(self, rows: list[Row], answer: list[int]) -> bool:
        """Take note of what is ours now, or who holds it. Raises LockNotAvailable where we wait no longer."""
        *fences, left = answer
        if not left:
            self._hold(rows, fences, self._lease)
            return False
        if self._nowait or time.monotonic() >= self._until:
            raise LockNotAvailable(f"{', '.join(map(names.key, rows))}: held by another")
        self._busy = (-fences[0], left / 1000)
        if self.fences and not self._renewed:  # the rows before this one stay ours while we wait
            self._renew(self._lease / 3)
        return True

    def _turn(self, rows: list[Row]) -> tuple[Any, ...]:
        """How long to listen for the hand, and the command that waits for it."""
        left = self._until - time.monotonic()
        seconds = min(TURN, self._busy[1] + 0.001, left)
        return seconds, "BLPOP", names.key(rows[0]) + ":h", f"{max(left - EARLY, 0.01):.3f}"

    def _is_handed(self, rows: list[Row], answer: list[bytes] | None) -> bool:
        """Whether the row was handed to us. We know for how long, without another question."""
        if not answer:
            return False
        fence, (seen, left) = int(answer[1]), self._busy
        if fence < seen:  # too long ago: somebody has it since
            return False
        self._hold(rows, [fence], left if fence == seen else min(GRANT, self._lease))
        return True

    def _hold(self, rows: list[Row], fences: list[int], lease: float) -> None:
        with self._mutex:
            ends = self._asked + lease - DRIFT
            self._ends = min(self._ends, ends) if self.fences else ends
            self.fences |= zip(rows, fences, strict=True)

    def _entered(self) -> None:
        _here.set(_here.get() | dict.fromkeys(self.fences, self))
        now = self._taken_at = time.monotonic()
        self._waited = now - self._until + self.timeout
        self._renew_until = now + self._max_hold
        if self._max_hold or self._ends - now < self._lease / 2:  # handed over for a moment: for the whole lease now
            self._renew((self._ends - now) / 3)

    # ── giving back ──────────────────────────────────────────────────────────────────────────────────────────────

    def release(self) -> None:
        """Give back what is held. Does nothing the second time, nor in a forked child; without Redis the lease ends it."""
        if self._leave():
            self._give_back()

    async def arelease(self) -> None:
        """`release` for a task; a cancelled one has still given back."""
        if self._leave():
            await unbroken(self._agive_back())

    def _give_back(self) -> None:
        """All rows, also those that we only waited for."""
        try:
            self._given_back([self._run(RELEASE, *self._gives(rows)) for rows in _groups(self.rows)])
        except LocksUnavailable:
            metrics.count(self.labels, "lost")

    async def _agive_back(self) -> None:
        try:
            self._given_back([await self._arun(RELEASE, *self._gives(rows)) for rows in _groups(self.rows)])
        except LocksUnavailable:
            metrics.count(self.labels, "lost")

    def _gives(self, rows: list[Row]) -> tuple[list[Row], list[Any]]:
        return rows, [self._owner, int(self.timeout * 1000), int(GRANT * 1000)]

    def _leave(self) -> bool:
        """Whether there is something to give back to Redis."""
        if self._outer:
            self._outer, self.fences = None, {}
        if not self.alive:
            return False
        _here.set({row: lock for row, lock in _here.get().items() if lock is not self})
        if self._owner == WITHOUT_REDIS:
            self._owner, self.fences = "", {}
        self._repeated = False
        return bool(self._owner)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, LockNotAvailable):
            metrics.count(self.labels, "refused")

    def _given_back(self, answers: list[list[int]]) -> None:
        with self._mutex:
            if self._renewed:
                later.forget(self.extend)
            ours = sum(fence > 0 for answer in answers for fence in answer)
            if self._taken_at:
                wait, held = self._waited, time.monotonic() - self._taken_at
                metrics.add(self.labels, taken=1, waited=wait, longest_wait=wait, held=held, longest_hold=held)
                if ours < len(self.fences) and not self._repeated:  # asked again, "not yours" is no news
                    self._lose()
            self._owner, self.fences, self._taken_at = "", {}, 0.0

    # ── holding ──────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Raises LockLost if the rows may be somebody else's by now. Asks nobody: our own clock says enough."""
        held = self.holder
        if held.lost or not held.alive or time.monotonic() > held._ends:
            raise LockLost(f"{', '.join(map(names.key, self.rows))} may be somebody else's")

    def extend(self, floor: int = 0) -> bool:
        """Ask for another lease, and for fences above `floor`. Returns whether all rows are ours still."""
        owner, asked, found = self._owner, time.monotonic(), dict(self.fences)
        try:
            for rows in _groups(list(found)):
                keys, known = names.keys(rows), [found[row] for row in rows]
                answer = ACQUIRE(redis.client("locks"), keys, self._terms("keep", floor) + known)
                found |= zip(rows, answer[:-1], strict=True)
        except AWAY:
            found = {}
        with self._mutex:
            return self._owner == owner and self._extended(found, asked)

    def _extended(self, found: dict[Row, int], asked: float) -> bool:
        """Take note of an extension's answer, {} where there was none. The lease counts from when we asked."""
        now = time.monotonic()
        if not found and now < self._ends:
            self._renew(self._lease / 10)
        elif not found or min(found.values()) <= 0:
            self._lose()
        else:
            self.fences |= found
            if len(found) == len(self.fences):  # else one came meanwhile, by another question
                self._ends = asked + self._lease - DRIFT
            if now < self._renew_until:
                self._renew(self._lease / 3)
            return True
        return False

    def _renew(self, seconds: float) -> None:
        self._renewed = True
        later.call(self.extend, seconds)

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            metrics.count(self.labels, "lost")

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

    def hold_without_redis(self, fences: dict[Row, int]) -> None:
        """Be the holder by the database's own locks, so that inner locks of this task find it."""
        self._context, self._process, self._owner = _context(), names.process(), WITHOUT_REDIS
        self.fences |= fences
        self.claimed, self._ends = True, time.monotonic() + self._lease
        _here.set(_here.get() | dict.fromkeys(fences, self))

    def move_here(self) -> None:
        """From now on this thread is the holder, to whom inner locks are re-entrant."""
        self._context = _context()

    @property
    def holder(self) -> Lock:
        """The lock that holds our rows: this one, or the outer one of this task."""
        return self._outer or self

    @property
    def longest(self) -> float:
        """Seconds that it may be held."""
        return max(self._lease, self._max_hold)

    @property
    def alive(self) -> bool:
        """Whether it is held, by this process."""
        return bool(self._owner) and self._process == names.process()

    @property
    def patience(self) -> float:
        """Seconds left of its timeout, for the wait that may follow in the database."""
        return self._until - time.monotonic()

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

    # ── asking Redis: the same call twice has the effect of one, so a lost reply is asked for again ──────────────

    def _call(self, rows: list[Row], args: list[Any]) -> tuple[list[str], list[Any]]:
        keys = self._keys if rows is self.rows else names.keys(rows)
        return keys, args + [self.fences.get(row, 0) for row in rows]

    def _run(self, script: Script, rows: list[Row], args: list[Any]) -> list[int]:
        call = self._call(rows, args)
        try:
            answer: list[int] = script(redis.client("locks"), *call)
        except AWAY:
            self._repeated = True
            try:
                answer = script(redis.client("locks"), *call)
            except AWAY as error:
                raise LocksUnavailable(f"Redis does not answer: {error}") from error
        return answer

    async def _arun(self, script: Script, rows: list[Row], args: list[Any]) -> list[int]:
        call = self._call(rows, args)
        try:
            answer: list[int] = await script.acall(redis.aclient("locks"), *call)
        except AWAY:
            self._repeated = True
            try:
                answer = await script.acall(redis.aclient("locks"), *call)
            except AWAY as error:
                raise LocksUnavailable(f"Redis does not answer: {error}") from error
        return answer


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Rows that one script may have: all, but in a Cluster each row has a slot of its own."""
    return [[row] for row in rows] if len(rows) > 1 and _in_cluster() else [rows]


def _in_cluster() -> bool:
    try:
        client = redis.client("locks")
        return type(client) is not Redis and isinstance(client, RedisCluster)  # the first is much cheaper
    except AWAY as error:  # a Cluster's client asks for the slots when it is made
        raise LocksUnavailable(f"Redis does not answer: {error}") from error


def _context() -> object:
    """Who we are: a task, or a thread. A context variable alone is copied into tasks and threads that start here."""
    if asyncio._get_running_loop() is not None:
        return asyncio.current_task()
    return threading.get_ident()


async def unbroken(work: Any) -> Any:
    """Finish `work` even when the task is cancelled meanwhile; the cancellation is raised after it.

    A command that was sent is waited for: cancelled half-way it might be carried out after the release that follows.
    """
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
