"""The lock: some rows, one owner, one lease. `with Lock(("invoice", 7)) as lock:`, or `async with`.

acquire.lua asks for the rows. If one is busy, the caller waits with BLPOP on the row's "hand" key, where Redis serves
waiters in order; release.lua pushes the next fence there. The methods of tasks begin with an "a" and make the same calls as
those of threads. Each script is idempotent, so a call without an answer is repeated once.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from redis.exceptions import RedisError

from woovi import redis
from woovi.locks import metrics, names
from woovi.locks.errors import LockLost, LockNotAvailable, LocksUnavailable
from woovi.locks.names import Row
from woovi.locks.shield import shielded
from woovi.locks.timer import timer
from woovi.redis.waiting import AsyncWaiting, Waiting

ACQUIRE, RELEASE = (redis.Script(Path(__file__).parent / "lua" / f"{name}.lua") for name in ("acquire", "release"))
AWAY = (RedisError, OSError)
Question = tuple[redis.Script, list[str], list[Any]]

GRANT = 1.0  # seconds: lease of a handed-over lock. Short, since the waiter may have crashed; it asks for more itself
TURN = GRANT / 2  # seconds after which a waiter asks again, keeping its place: the one served may have crashed
RETRY = 0.02  # seconds between two questions where BLPOP fails
EARLY = 0.1  # seconds: Redis ends our wait so much before we do, so that it hands no row to a waiter that has left
DRIFT = 0.003  # seconds by which Redis may end a lease before our clock does: it counts whole ms, from a cached clock

# The locks of this task (or thread), by row. They make locks re-entrant.
_here: contextvars.ContextVar[dict[Row, Lock]] = contextvars.ContextVar("woovi_locks", default={})  # noqa: B039


class Lock:
    """An exclusive lock of some rows, first come first served.

    Rows are always locked in the same order, and a waiter keeps those that it has, so there are no deadlocks.

    Args:
        rows: (label, pk) each; a pk is compared as its own type.
        timeout: seconds to wait.
        lease: seconds after which Redis frees the rows, also if this process has crashed.
        nowait: do not wait: lock all rows or none, at once.
        max_hold: seconds for which the lease is renewed, each time after a third of it. 0: never.
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
        self.fences: dict[Row, int] = {}  # the rows that are held, with their fences
        self.lost = self.claimed = False  # claimed: the database knows these fences
        self.timeout, self._lease, self._nowait, self._max_hold = timeout, lease, nowait, max_hold
        self.longest = max(lease, max_hold)  # seconds that it may be held
        self._owner = ""  # the id of this acquisition; "" while no row can be ours
        self._outer: Lock | None = None
        self._context: object = None
        self._until = self._asked = self._taken_at = self._ends = self._renew_until = 0.0
        self._busy = (0, 0.0)  # fence, and seconds of lease, of whoever held the row when we asked
        self._by_redis = self._renewed = self._repeated = False
        self._mutex = threading.Lock()  # between its holder and the thread that renews its lease

    # ── taking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def acquire(self) -> Self:
        """Lock the rows. Raises LockNotAvailable, or LocksUnavailable where Redis does not answer; nothing is held then."""
        if self._begin():
            try:
                for rows in self._steps():
                    if self._is_busy(rows, self._run(*self._asks(rows))):
                        self._wait(rows)
            except BaseException as error:
                self._give_back()
                if isinstance(error, AWAY):
                    raise LocksUnavailable(f"Redis does not answer: {error}") from error
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
                if not self._is_busy(rows, self._run(*self._asks(rows))):
                    return

    async def aacquire(self) -> Self:
        """`acquire` for asyncio. After a cancellation nothing is held."""
        if self._begin():
            try:
                for rows in self._steps():
                    if self._is_busy(rows, await shielded(self._arun(*self._asks(rows)))):
                        await self._await(rows)
            except BaseException as error:
                await shielded(self._agive_back())
                if isinstance(error, AWAY):
                    raise LocksUnavailable(f"Redis does not answer: {error}") from error
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
                if not self._is_busy(rows, await shielded(self._arun(*self._asks(rows)))):
                    return

    def _begin(self) -> bool:
        """Whether the rows must be locked. If not, an outer lock of this task holds them, and its fences are used."""
        if self._owner or self._outer:
            raise RuntimeError("this lock is in use: make one for each acquisition")
        self._context = _context()
        if _here.get() and (outer := self.find_outer()):
            self._outer, self.fences = outer, outer.fences
            return False
        self._owner, self._by_redis = names.new_owner(), True
        self._until = self._renew_until = time.monotonic() + self.timeout
        self.lost = self.claimed = self._renewed = False
        return True

    def _steps(self) -> Iterator[list[Row]]:
        """The rows of each question: first all, if one script may have them. If one was busy, each row by itself."""
        if len(self.rows) == 1 or not redis.in_slots("locks"):
            yield self.rows
        if not self.fences:
            yield from ([row] for row in self.rows)

    def _asks(self, rows: list[Row]) -> Question:
        self._asked = time.monotonic()
        return ACQUIRE, *self._terms(rows, "all" if self._nowait or len(rows) > 1 else "wait")

    def _terms(self, rows: list[Row], mode: str, floor: int = 0) -> tuple[list[str], list[Any]]:
        keys, known = self._known(rows)
        return keys, [self._owner, int(self._lease * 1000), int(self.timeout * 1000), mode, floor, *known]

    def _known(self, rows: list[Row]) -> tuple[list[str], list[int]]:
        """The rows' keys, and the fences that we know to be ours."""
        keys = self._keys if rows is self.rows else names.keys(rows)
        return keys, [self.fences.get(row, 0) for row in rows]

    def _is_busy(self, rows: list[Row], answer: list[int]) -> bool:
        """Note an answer of acquire.lua: whether to wait for the row. Raises LockNotAvailable after the timeout."""
        *fences, left = answer
        if not left:
            self._hold(rows, fences, self._lease)
            return False
        if self._nowait or time.monotonic() >= self._until:
            metrics.count(self.labels, "refused")
            raise LockNotAvailable(f"{', '.join(map(names.key, rows))}: held by another")
        self._busy = (-fences[0], left / 1000)
        if self.fences and not self._renewed:  # the rows before this one stay ours while we wait
            self._renew(self._lease / 3)
        return len(rows) == 1

    def _turn(self, rows: list[Row]) -> tuple[Any, ...]:
        """How many seconds to wait for the hand key this time, and the command that does it."""
        left = self._until - time.monotonic()
        seconds = min(TURN, self._busy[1] + 0.001, left)
        return seconds, "BLPOP", names.keys(rows)[2], f"{max(left - EARLY, 0.01):.3f}"

    def _is_handed(self, rows: list[Row], answer: list[bytes] | None) -> bool:
        """Note an answer of BLPOP: whether the row was handed to us. The lease is known without asking."""
        fence, (seen, left) = int(answer[1]) if answer else -1, self._busy
        if fence < seen:  # no answer, or an old one: another holder has had the row since
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
        self._taken_at = time.monotonic()
        self._renew_until, left = self._taken_at + self._max_hold, self._ends - self._taken_at
        if self._max_hold or left < self._lease / 2:  # it was handed over with a short lease: ask for the whole one
            self._renew(left / 3)

    # ── giving back ──────────────────────────────────────────────────────────────────────────────────────────────

    def release(self) -> None:
        """Give the rows back. Does nothing the second time, or in a forked child. Without Redis the lease frees them."""
        if self._leave():
            self._give_back()

    async def arelease(self) -> None:
        """`release` for asyncio. The rows are given back also if the call is cancelled."""
        if self._leave():
            await shielded(self._agive_back())

    def _give_back(self) -> None:
        try:
            self._given_back([self._run(*question) for question in self._gives()])
        except AWAY:
            pass  # the lease frees the rows

    async def _agive_back(self) -> None:
        try:
            self._given_back([await self._arun(*question) for question in self._gives()])
        except AWAY:
            pass

    def _gives(self) -> Iterator[Question]:
        """The calls that give back all rows, also those that were only waited for."""
        if self._renewed:
            timer.cancel(self.extend)
        self._repeated = False
        for rows in _groups(self.rows):
            keys, known = self._known(rows)
            yield RELEASE, keys, [self._owner, int(self.timeout * 1000), int(GRANT * 1000), *known]

    def _leave(self) -> bool:
        """Whether there is something to give back to Redis."""
        if self._outer:
            self._outer, self.fences = None, {}
        if not self.alive:
            return False
        _here.set({row: lock for row, lock in _here.get().items() if lock is not self})
        if not self._by_redis:
            self._owner = ""
        return self._by_redis

    def _given_back(self, answers: list[list[int]]) -> None:
        with self._mutex:
            if self._taken_at:
                waited, held = self._taken_at - self._until + self.timeout, time.monotonic() - self._taken_at
                metrics.add(self.labels, taken=1, waited=waited, longest_wait=waited, held=held, longest_hold=held)
                ours = sum(fence > 0 for answer in answers for fence in answer)
                if ours < len(self.fences) and not self._repeated:  # the answer to a repeated call says "not yours" too
                    self._lose()
            self._owner, self.fences, self._taken_at = "", {}, 0.0

    # ── holding ──────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Raise LockLost if another process may hold the rows by now. By our own clock, without asking Redis."""
        held = self.holder
        if held.lost or not held.alive or time.monotonic() > held._ends:
            raise LockLost(f"{', '.join(map(names.key, self.rows))} may be somebody else's")

    def extend(self, floor: int = 0) -> bool:
        """Ask for a new lease, and for fences above `floor`. Returns whether all rows are still ours."""
        owner, asked, found = self._owner, time.monotonic(), dict(self.fences)
        try:
            for rows in _groups(list(found)):
                answer = ACQUIRE(redis.client("locks"), *self._terms(rows, "keep", floor))
                found |= zip(rows, answer[:-1], strict=True)
        except AWAY:
            found = {}
        with self._mutex:
            return self._owner == owner and self._extended(found, asked)

    def _extended(self, found: dict[Row, int], asked: float) -> bool:
        """Note the answer to an extension, {} for none. The lease counts from `asked`, by the monotonic clock."""
        now = time.monotonic()
        if not found and now < self._ends:
            self._renew(self._lease / 10)
        elif min(found.values(), default=0) <= 0:
            self._lose()
        else:
            self.fences |= found
            if len(found) == len(self.fences):  # otherwise a row was locked in between
                self._ends = asked + self._lease - DRIFT
            if now < self._renew_until:
                self._renew(self._lease / 3)
            return True
        return False

    def _renew(self, seconds: float) -> None:
        self._renewed = True
        timer.call(self.extend, seconds)

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            metrics.count(self.labels, "lost")

    def find_outer(self) -> Lock | None:
        """The lock of this task that already holds our rows, if any. Raises RuntimeError if it holds only some of them."""
        here = _context()
        held = {row: lock for row, lock in _here.get().items() if lock._context == here and lock.alive}
        mine = [held[row] for row in self.rows if row in held]
        if mine and (len(mine) < len(self.rows) or len(set(map(id, mine))) > 1):
            raise RuntimeError("a lock inside another may only lock what that one holds: take all rows in the outer")
        return mine[0] if mine else None

    def hold_without_redis(self, fences: dict[Row, int]) -> None:
        """Mark the rows as held by the database's own locks, so that inner locks of this task find this one."""
        self._context, self._owner, self._by_redis = _context(), names.new_owner(), False
        self.fences, self.claimed, self._ends = fences, True, time.monotonic() + self._lease
        _here.set(_here.get() | dict.fromkeys(fences, self))

    def move_here(self) -> None:
        """Make this thread the holder, so that locks inside it are re-entrant."""
        self._context = _context()

    @property
    def holder(self) -> Lock:
        """The lock that holds our rows: this one, or the outer one of this task."""
        return self._outer or self

    @property
    def alive(self) -> bool:
        """Whether it is held, by this process."""
        return self._owner.startswith(names.process())

    @property
    def patience(self) -> float:
        """Seconds that are left of the timeout, for a wait in the database."""
        return self._until - time.monotonic()

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        return await self.aacquire()

    async def __aexit__(self, *_: object) -> None:
        await self.arelease()

    def _run(self, script: redis.Script, keys: list[str], args: list[Any]) -> list[int]:
        try:
            answer: list[int] = script(redis.client("locks"), keys, args)
        except AWAY:
            self._repeated = True
            answer = script(redis.client("locks"), keys, args)
        return answer

    async def _arun(self, script: redis.Script, keys: list[str], args: list[Any]) -> list[int]:
        try:
            answer: list[int] = await script.acall(redis.aclient("locks"), keys, args)
        except AWAY:
            self._repeated = True
            answer = await script.acall(redis.aclient("locks"), keys, args)
        return answer


def _groups(rows: list[Row]) -> list[list[Row]]:
    """The rows in groups that one script may have: all together, but in a Cluster each by itself, in its own slot."""
    return [[row] for row in rows] if len(rows) > 1 and redis.in_slots("locks") else [rows]


def _context() -> object:
    """The current task or thread. Needed beside the context variable, which new tasks and threads inherit."""
    return asyncio.current_task() if asyncio._get_running_loop() else threading.get_ident()
