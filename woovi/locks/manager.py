"""`Model.objects.lock_for_update(pk=...)`: the order that makes a lock safe, in one place.

    take the rows in Redis -> begin -> claim them in the database and read them -> the body -> commit -> give back

Rows are given back after the commit, and the claim stops a holder that comes too late. Without Redis the database locks
alone, or nothing is locked: settings.LOCKS_WITHOUT_REDIS is "database" (the default) or "refuse". If only some processes
have lost Redis, the fence still decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections, models, router, transaction

from woovi import database
from woovi.locks import metrics
from woovi.locks.claims import advise, claim, claim_with
from woovi.locks.errors import LocksUnavailable
from woovi.locks.lock import Lock
from woovi.locks.names import Row
from woovi.locks.shield import shielded

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)


class Terms(TypedDict, total=False):
    """How to lock; `woovi.locks.Lock` says what each means."""

    timeout: float
    lease: float
    nowait: bool
    max_hold: float


class LockedRows(dict[Any, Any]):
    """The locked rows by pk, as they were read with the claim. `row` is the row of a lock of one."""

    def __init__(self, rows: dict[Any, Any], model: type[models.Model], lock: Lock) -> None:
        super().__init__(rows)
        self._to_python, self.check = model._meta.pk.to_python, lock.check

    def __getitem__(self, pk: Any) -> Any:
        return super().__getitem__(self._to_python(pk))

    @property
    def row(self) -> Any:
        (row,) = self.values()
        return row


class RowLockManagerMixin:
    """Adds row locks to the manager of a FencedModel."""

    model: type[Any]
    _db: str | None

    @contextlib.contextmanager
    def lock_for_update(
        self, *, pk: Any = None, pk__in: Iterable[Any] | None = None,
        in_transaction: Literal["refuse", "defer"] = "refuse", **terms: Unpack[Terms],
    ) -> Generator[LockedRows]:  # fmt: skip
        """Lock, begin a transaction, claim and read; commit and give back at the end.

        Args:
            pk, pk__in: the rows. One that does not exist raises DoesNotExist (`pk`), or is left out (`pk__in`).
            in_transaction: inside an outer atomic() that is not such a block's own, refuse with RuntimeError, or
                "defer": keep the rows until the outermost transaction ends, committed or rolled back.
            terms: as of `woovi.locks.Lock`.

        Raises:
            LockNotAvailable: held by another. LocksUnavailable: no Redis, and LOCKS_WITHOUT_REDIS is "refuse".
            StaleFence: a later holder claimed a row; the transaction is rolled back.
        """
        asked = SplitLock(self, pk, pk__in, terms)
        outer, inside = asked.lock.find_outer(), database.in_transaction(asked.using)
        if inside and not outer and in_transaction == "refuse":
            raise RuntimeError(
                "lock_for_update() inside atomic() would give back before the commit: lock outside of it"
            )
        with contextlib.ExitStack() as stack:
            with asked.or_without_redis():
                asked.lock.acquire()
            if inside and not outer:
                database.when_ended(connections[asked.using], asked.lock.release)
            else:
                stack.callback(asked.lock.release)
            stack.enter_context(transaction.atomic(asked.using, durable=not inside))
            yield asked.claimed()

    def lock_rows(self, *, pk: Any = None, pk__in: Iterable[Any] | None = None, **terms: Unpack[Terms]) -> SplitLock:
        """Lock rows for work that no transaction may span, such as a call to a bank.

            with Account.objects.lock_rows(pk=a) as lock:  # the claim is committed
                bank.send(...)
                with lock.write() as rows:                 # a second transaction, which checks the fence
                    rows.row.save()

        Renewed for as long as it is held, `max_hold` (60 s) at most. Raises as lock_for_update; inside atomic() always
        RuntimeError.
        """
        return SplitLock(self, pk, pk__in, {"max_hold": 60.0, **terms})

    async def arun_locked(
        self, fn: Callable[[LockedRows], T], *, pk: Any = None, pk__in: Iterable[Any] | None = None,
        **terms: Unpack[Terms],
    ) -> T:  # fmt: skip
        """Run `fn(rows)` in a locked transaction, in a thread, since transactions are synchronous. The task waits.

        A cancelled call has either committed or not begun: fn never runs without its lock.
        """
        asked = SplitLock(self, pk, pk__in, terms)

        def run() -> T:
            asked.lock.move_here()
            with transaction.atomic(asked.using, durable=True):
                return fn(asked.claimed())

        try:
            with asked.or_without_redis():
                await asked.lock.aacquire()
            return await shielded(sync_to_async(run)())
        finally:
            await asked.lock.arelease()


class RowLockManager(RowLockManagerMixin, models.Manager[M]):
    """The manager of a FencedModel that needs no other."""


class SplitLock:
    """Some rows and their lock, without a transaction around the work. See RowLockManagerMixin.lock_rows.

    `rows` are as the first claim read them, before the work.
    """

    rows: LockedRows

    def __init__(self, manager: RowLockManagerMixin, pk: Any, pk__in: Iterable[Any] | None, terms: Terms) -> None:
        if (pk is None) == (pk__in is None):
            raise TypeError("say which rows: pk=... or pk__in=...")
        self.model, self.using = manager.model, manager._db or router.db_for_write(manager.model)
        to_python, self._single = self.model._meta.pk.to_python, pk__in is None
        self._pks = sorted({to_python(each) for each in ([pk] if pk__in is None else pk__in)})
        self.lock = Lock(*(Row(self.model._meta.label_lower, pk) for pk in self._pks), **terms)
        self.check = self.lock.check  # raises LockLost if the lease ended: call it just before the call to the bank
        self._by_redis, self._session = True, None  # the session holds the database's locks, where Redis is away

    @contextlib.contextmanager
    def write(self) -> Generator[LockedRows]:
        """A transaction in which the rows are claimed and read again.

        Raises StaleFence if a later holder claimed one, LockNotAvailable if another transaction held one for all of the
        lock's timeout. Nothing is written then.
        """
        with transaction.atomic(self.using, durable=True):
            yield LockedRows(
                claim(self.model, self.using, self.lock, self._pks, self.lock.timeout), self.model, self.lock
            )

    async def awrite(self, fn: Callable[[LockedRows], T]) -> T:
        """Run `fn(rows)` inside write(), in a thread."""

        def run() -> T:
            with self.write() as rows:
                return fn(rows)

        return await shielded(sync_to_async(run)())

    def __enter__(self) -> SplitLock:
        self._refuse_inside()
        try:
            with self.or_without_redis():
                self.lock.acquire()
            self._claim()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._session:
            self._session.close()
        self.lock.release()

    async def __aenter__(self) -> SplitLock:
        await sync_to_async(self._refuse_inside)()
        try:
            with self.or_without_redis():
                await self.lock.aacquire()
            await shielded(sync_to_async(self._claim)())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            self._session.close()
        await self.lock.arelease()

    @contextlib.contextmanager
    def or_without_redis(self) -> Iterator[None]:
        """Around the acquisition: without Redis the database will lock alone, unless LOCKS_WITHOUT_REDIS is "refuse"."""
        try:
            yield
        except LocksUnavailable:
            if getattr(settings, "LOCKS_WITHOUT_REDIS", "database") == "refuse":
                raise
            self._by_redis = False
            metrics.count(self.lock.labels, "fallbacks")

    def claimed(self) -> LockedRows:
        """Claim and read the rows in the open transaction. Raises DoesNotExist for a single pk without a row."""
        lock, label = self.lock, self.model._meta.label_lower
        if self._by_redis:
            rows = claim(self.model, self.using, lock, self._pks, lock.patience)
        else:
            rows = claim_with(self.model, self.using, dict.fromkeys(self._pks), lock.patience)
            lock.hold_without_redis({Row(label, pk): row.lock_fence for pk, row in rows.items()})
        if self._single and not rows:
            raise self.model.DoesNotExist(f"{self.model._meta.object_name} {self._pks[0]} does not exist")
        self._pks = list(rows)
        return LockedRows(rows, self.model, lock)

    def _claim(self) -> None:
        if not self._by_redis:
            self._session = advise(self.using, self.lock)
        self.rows = self.claimed()  # one query, which is a transaction of its own

    def _refuse_inside(self) -> None:
        if database.in_transaction(self.using):
            raise RuntimeError("lock_rows() is for work between transactions: call it outside of atomic()")
