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

from woovi.locks import fallback
from woovi.locks.claims import claim, claim_with
from woovi.locks.lock import Lock, unbroken
from woovi.locks.names import Row

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)


class Terms(TypedDict, total=False):
    """How to lock; `woovi.locks.Lock` says what each means."""

    timeout: float
    lease: float
    nowait: bool
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
        rows = _Rows(self, pk, pk__in, terms)
        outer, inside = rows.lock.find_outer(), _in_transaction(rows.using)
        if inside and not outer and in_transaction == "refuse":
            raise RuntimeError(
                "lock_for_update() inside atomic() would give back before the commit: lock outside of it"
            )
        with contextlib.ExitStack() as stack:
            by_redis = fallback.acquired(rows.lock)
            if inside and not outer:
                when_ended(connections[rows.using], rows.lock.release)
            else:
                stack.callback(rows.lock.release)
            stack.enter_context(transaction.atomic(rows.using, durable=not inside))
            yield rows.claimed(by_redis)

    def lock_rows(self, *, pk: Any = None, pk__in: Iterable[Any] | None = None, **terms: Unpack[Terms]) -> SplitLock:
        """Lock rows for work that no transaction may span, such as a call to a bank.

            with Account.objects.lock_rows(pk=a) as lock:  # the claim is committed
                bank.send(...)
                with lock.write() as rows:                 # a second transaction, which checks the fence
                    rows.row.save()

        Renewed for as long as it is held, `max_hold` (60 s) at most. Raises as lock_for_update; inside atomic() always
        RuntimeError.
        """
        return SplitLock(_Rows(self, pk, pk__in, {"max_hold": 60.0, **terms}))

    async def arun_locked(
        self, fn: Callable[[LockedRows], T], *, pk: Any = None, pk__in: Iterable[Any] | None = None,
        **terms: Unpack[Terms],
    ) -> T:  # fmt: skip
        """`fn(rows)` in a locked transaction. The wait is the task's; transactions are sync, so fn runs in a thread.

        A cancelled call has either committed or not begun: fn is never left running without its lock.
        """
        rows = _Rows(self, pk, pk__in, terms)

        def run(by_redis: bool) -> T:
            rows.lock.move_here()
            try:
                with transaction.atomic(rows.using, durable=True):
                    return fn(rows.claimed(by_redis))
            finally:
                if not by_redis:
                    rows.lock.release()

        by_redis = await fallback.aacquired(rows.lock)
        try:
            done: T = await unbroken(sync_to_async(run)(by_redis))
            return done
        finally:
            await rows.lock.arelease()


class RowLockManager(RowLockManagerMixin, models.Manager[M]):
    """The manager of a FencedModel that needs no other."""


class _Rows:
    """Rows that were asked for, their lock, and what the claim makes of both."""

    def __init__(self, manager: RowLockManagerMixin, pk: Any, pk__in: Iterable[Any] | None, terms: Terms) -> None:
        if (pk is None) == (pk__in is None):
            raise TypeError("say which rows: pk=... or pk__in=...")
        self.model, self.using = manager.model, manager._db or router.db_for_write(manager.model)
        to_python, self.single = self.model._meta.pk.to_python, pk__in is None
        self.pks = sorted({to_python(each) for each in ([pk] if pk__in is None else pk__in)})
        self.lock = Lock(*(Row(self.model._meta.label_lower, pk) for pk in self.pks), **terms)

    def claimed(self, by_redis: bool, timeout: float | None = None) -> LockedRows:
        """The rows, in the transaction that is open."""
        lock, label = self.lock, self.model._meta.label_lower
        if by_redis:
            rows = claim(self.model, self.using, lock, self.pks, lock.patience if timeout is None else timeout)
        else:
            rows = claim_with(self.model, self.using, dict.fromkeys(self.pks), lock.patience)
            lock.hold_without_redis({Row(label, pk): row.lock_fence for pk, row in rows.items()})
        self.pks = list(rows)
        if self.single and not rows:
            raise self.model.DoesNotExist(f"{self.model._meta.object_name} does not exist: {lock.rows[0].pk}")
        return LockedRows(self.model, rows, lock)


class SplitLock:
    """See RowLockManagerMixin.lock_rows. `rows` are as the claim read them, before the bank was asked."""

    rows: LockedRows

    def __init__(self, asked: _Rows) -> None:
        self._asked, self._lock, self._using = asked, asked.lock, asked.using
        self._session: Any = None  # of the database, where that locks alone

    @contextlib.contextmanager
    def write(self) -> Generator[LockedRows]:
        """A transaction with the rows read anew.

        Raises StaleFence if a later holder claimed one, LockNotAvailable if another transaction holds one for all of
        the lock's timeout. Nothing is written then.
        """
        with transaction.atomic(self._using, durable=True):
            yield self._asked.claimed(True, self._lock.timeout)

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
        self._claim(fallback.acquired(self._lock))
        return self

    def __exit__(self, *_: object) -> None:
        if self._session:
            self._session.close()
        self._lock.release()

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
        if self._session:
            self._session.close()
        await self._lock.arelease()

    def _claim(self, by_redis: bool) -> None:
        try:
            if not by_redis:
                self._session = fallback.advise(self._using, self._lock)
            with transaction.atomic(self._using, durable=True):
                self.rows = self._asked.claimed(by_redis)
        except BaseException:
            self.__exit__()
            raise

    def _refuse_inside(self) -> None:
        if _in_transaction(self._using):
            raise RuntimeError("lock_rows() is for work between transactions: call it outside of atomic()")


def _in_transaction(using: str) -> bool:
    """Whether an atomic() is open, one of Django's TestCase aside, as `durable=True` sees it."""
    blocks = connections[using].atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase  # type: ignore[attr-defined]


def when_ended(connection: Any, act: Callable[[], None]) -> None:
    """Call `act` once, when the outermost transaction has ended, however it ended.

    Django drops `on_commit` hooks when a savepoint or the transaction is rolled back, and the rest of them when one
    raises. Both ends pass through `set_autocommit(True)`, or through `close()` when the connection broke.
    """
    before = {name: vars(connection).get(name) for name in ("set_autocommit", "close")}

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def ended(*args: Any, **kwargs: Any) -> Any:
            for name, earlier in before.items():  # as it was: a deferred lock before us wraps too
                if earlier is None:
                    vars(connection).pop(name, None)
                else:
                    setattr(connection, name, earlier)
            try:
                return method(*args, **kwargs)
            finally:
                act()

        return ended

    for name in before:
        setattr(connection, name, wrap(getattr(connection, name)))
