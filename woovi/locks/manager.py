"""`Model.objects.lock_for_update(pk=...)`: the order that makes a lock safe, in one place.

    take the rows in Redis -> begin -> claim them in the database and read them -> the body -> commit -> give back

Nothing is given back before the commit, and whoever comes too late is stopped by the claim.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from asgiref.sync import sync_to_async
from django.db import connections, models, router, transaction

from woovi.locks import fallback, joins
from woovi.locks.claims import still_ours
from woovi.locks.ending import when_ended
from woovi.locks.lock import Lock, unbroken
from woovi.locks.names import Row

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)


class Terms(TypedDict, total=False):
    """How to lock; `woovi.locks.Lock` says what each means."""

    timeout: float
    lease: float
    nowait: bool
    skip_locked: bool
    fair: bool
    auto_renew: bool
    max_hold: float


class LockedRows(Mapping[Any, Any]):
    """The locked rows by pk, read under their claim. `row` is the only one."""

    def __init__(self, model: type[models.Model], rows: dict[Any, Any], lock: Lock) -> None:
        self._model, self._rows, self._lock = model, rows, lock

    def __getitem__(self, pk: Any) -> Any:
        return self._rows[self._model._meta.pk.to_python(pk)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def row(self) -> Any:
        (row,) = self._rows.values()
        return row

    def check(self) -> None:
        """Raises LockLost if the lease ended: work that cannot be taken back should not begin now."""
        self._lock.check()


class RowLockManagerMixin:
    """Adds row locks to the manager of a FencedModel."""

    model: type[Any]
    _db: str | None

    @contextlib.contextmanager
    def lock_for_update(
        self, *, pk: Any = None, pk__in: Iterable[Any] | None = None, of: tuple[str, ...] = ("self",),
        in_transaction: Literal["refuse", "defer"] = "refuse", **terms: Unpack[Terms],
    ) -> Generator[LockedRows]:  # fmt: skip
        """Lock, begin a transaction, claim and read; commit and give back at the end.

        Args:
            pk, pk__in: the rows. One that does not exist raises DoesNotExist (`pk`), or is left out (`pk__in`).
            of: "self", and names of foreign keys whose rows are locked and read too.
            in_transaction: inside an outer atomic() that is not such a block's own, refuse with RuntimeError, or
                "defer": keep the rows until the outermost transaction ends, committed or rolled back.
            terms: as of `woovi.locks.Lock`.

        Raises:
            LockNotAvailable: held by another. LocksUnavailable: no Redis, and LOCKS_WITHOUT_REDIS is "refuse".
            StaleFence: a later holder claimed a row; the transaction is rolled back.
        """
        using = self._using()
        pks = self._pks(pk, pk__in)
        joined = joins.rows(self.model, using, pks, of)
        lock = Lock(*_rows(self.model, pks), *joined, **terms)
        outer, inside = lock.find_outer(), _in_transaction(using)
        if inside and not outer and in_transaction == "refuse":
            raise RuntimeError(
                "lock_for_update() inside atomic() would give back before the commit: lock outside of it"
            )
        with contextlib.ExitStack() as stack:
            by_redis = fallback.acquired(lock)
            if inside and not outer:
                when_ended(connections[using], lock.release)
            else:
                stack.callback(lock.release)
            stack.enter_context(transaction.atomic(using, durable=not inside))
            claimed = self._claimed(using, pks, lock, by_redis, single=pk is not None)
            joins.attach(self.model, using, claimed, lock, of, by_redis)
            yield claimed

    def lock_rows(self, *, pk: Any = None, pk__in: Iterable[Any] | None = None, **terms: Unpack[Terms]) -> SplitLock:
        """Lock rows for work that no transaction may span, such as a call to a bank.

            with Account.objects.lock_rows(pk=a) as lock:  # the claim is committed
                bank.send(...)
                with lock.write() as rows:                 # a second transaction, which checks the fence
                    rows.row.save()

        Renewed for as long as it is held, `max_hold` (60 s) at most, unless auto_renew=False. Raises as
        lock_for_update; inside atomic() always RuntimeError.
        """
        using, pks = self._using(), self._pks(pk, pk__in)
        options: Terms = {"auto_renew": True, **terms}
        lock = Lock(*_rows(self.model, pks), **options)
        return SplitLock(self, using, pks, lock, single=pk is not None)

    async def arun_locked(
        self, fn: Callable[[LockedRows], T], *, pk: Any = None, pk__in: Iterable[Any] | None = None,
        **terms: Unpack[Terms],
    ) -> T:  # fmt: skip
        """`fn(rows)` in a locked transaction. The wait is the task's; transactions are sync, so fn runs in a thread.

        A cancelled call has either committed or not begun: fn is never left running without its lock.
        """
        using, pks = self._using(), self._pks(pk, pk__in)
        lock = Lock(*_rows(self.model, pks), **terms)

        def run(by_redis: bool) -> T:
            lock.move_here()
            try:
                with transaction.atomic(using, durable=True):
                    return fn(self._claimed(using, pks, lock, by_redis, single=pk is not None))
            finally:
                if not by_redis:
                    lock.release()

        by_redis = await fallback.aacquired(lock)
        try:
            done: T = await unbroken(sync_to_async(run)(by_redis))
            return done
        finally:
            await lock.arelease()

    # ── in a transaction ─────────────────────────────────────────────────────────────────────────────────────────

    def _claimed(self, using: str, pks: list[Any], lock: Lock, by_redis: bool, *, single: bool) -> LockedRows:
        rows = fallback.read(self.model, using, pks, lock, by_redis)
        if single and not rows and not lock.skips:
            raise self.model.DoesNotExist(f"{self.model._meta.object_name} {pks[0]} does not exist")
        return LockedRows(self.model, rows, lock)

    def _using(self) -> str:
        return self._db or router.db_for_write(self.model)

    def _pks(self, pk: Any, pk__in: Iterable[Any] | None) -> list[Any]:
        if (pk is None) == (pk__in is None):
            raise TypeError("say which rows: pk=... or pk__in=...")
        wanted = [pk] if pk__in is None else pk__in
        return sorted({self.model._meta.pk.to_python(each) for each in wanted})


class RowLockManager(RowLockManagerMixin, models.Manager[M]):
    """The manager of a FencedModel that needs no other."""


class SplitLock:
    """See RowLockManagerMixin.lock_rows. `rows` are as the claim read them, before the bank was asked."""

    def __init__(self, manager: RowLockManagerMixin, using: str, pks: list[Any], lock: Lock, single: bool) -> None:
        self._manager, self._using, self._pks, self._lock, self._single = manager, using, pks, lock, single
        self._advisory: dict[Any, int] = {}
        self.rows = LockedRows(manager.model, {}, lock)

    @contextlib.contextmanager
    def write(self) -> Generator[LockedRows]:
        """A transaction with the rows read anew.

        Raises StaleFence if a later holder claimed one, LockNotAvailable if another transaction holds one for all of
        the lock's timeout. Nothing is written then.
        """
        with transaction.atomic(self._using, durable=True):
            fences = {pk: self.rows[pk].lock_fence for pk in self.rows}
            rows = still_ours(self._manager.model, self._using, fences, self._lock.timeout)
            yield LockedRows(self._manager.model, rows, self._lock)

    async def awrite(self, fn: Callable[[LockedRows], T]) -> T:
        """`fn(rows)` inside write(), in a thread."""

        def run() -> T:
            with self.write() as rows:
                return fn(rows)

        done: T = await unbroken(sync_to_async(run)())
        return done

    def check(self) -> None:
        """Raises LockLost if the lease ended: ask before the bank is asked."""
        self._lock.check()

    def __enter__(self) -> SplitLock:
        self._refuse_inside()
        by_redis = fallback.acquired(self._lock)
        try:
            self._claim(by_redis)
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    async def __aenter__(self) -> SplitLock:
        await sync_to_async(self._refuse_inside)()
        by_redis = await fallback.aacquired(self._lock)
        try:
            await unbroken(sync_to_async(self._claim)(by_redis))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._advisory:
            await unbroken(sync_to_async(self._let_go)())
        await self._lock.arelease()

    def _claim(self, by_redis: bool) -> None:
        if not by_redis:
            self._advisory = fallback.advise(self._manager.model, self._using, self._pks, self._lock)
            self._pks = list(self._advisory)
        with transaction.atomic(self._using, durable=True):
            self.rows = self._manager._claimed(self._using, self._pks, self._lock, by_redis, single=self._single)

    def _let_go(self) -> None:
        fallback.unadvise(self._using, self._advisory)
        self._advisory = {}
        self._lock.release()

    def _refuse_inside(self) -> None:
        if _in_transaction(self._using):
            raise RuntimeError("lock_rows() is for work between transactions: call it outside of atomic()")


def _rows(model: type[models.Model], pks: list[Any]) -> list[Row]:
    return [Row(model._meta.label_lower, pk) for pk in pks]


def _in_transaction(using: str) -> bool:
    """Whether an atomic() is open, one of Django's TestCase aside, as `durable=True` sees it."""
    blocks = connections[using].atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase  # type: ignore[attr-defined]
