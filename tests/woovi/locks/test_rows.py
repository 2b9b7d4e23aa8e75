"""lock_for_update and its kin: what is claimed, when it is given back, who is refused."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from django.db import connection, transaction
from redis.cluster import key_slot

from tests.processes import a_session_waits_for_a_lock, wait_until
from tests.woovi.locks import others
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account, Owner
from tests.woovi.locks.others import A, B, elsewhere
from woovi.locks import Lock, LockNotAvailable, StaleFence, metrics, names
from woovi.locks.claims import claim, claim_with

LABEL = "vault.account"


def free(*pks: int) -> bool:
    """Whether Redis would give the rows to somebody else at once."""
    return others.free(*((LABEL, pk) for pk in pks))


def balance(pk: int = 9) -> int:
    return Account.objects.get(pk=pk).balance


def test_the_body_sees_the_row_under_its_claim_and_the_lock_ends_after_the_commit(account: Account) -> None:
    with Account.objects.lock_for_update(pk="9") as locked:
        assert connection.in_atomic_block
        assert locked["9"] is locked.row
        assert locked.row.lock_fence > 0
        locked.row.balance -= 30
        locked.row.save()
    assert balance() == 70
    assert free(9)


def test_a_body_that_raises_writes_nothing_and_gives_back(account: Account) -> None:
    with pytest.raises(ZeroDivisionError), Account.objects.lock_for_update(pk=9) as locked:  # noqa: PT012
        locked.row.balance = 0
        locked.row.save()
        raise ZeroDivisionError
    assert balance() == 100
    assert free(9)


def test_missing_rows(account: Account) -> None:
    with pytest.raises(Account.DoesNotExist), Account.objects.lock_for_update(pk=1):
        raise AssertionError
    assert free(1)
    with Account.objects.lock_for_update(pk__in=[1, 9]) as locked:
        assert list(locked) == [9]


def test_early_waker_is_refused(account: Account) -> None:
    """A reads under its fence and stalls past its lease; B takes the row; A wakes and writes, then B writes."""
    a = elsewhere(Lock((LABEL, 9), lease=0.01).acquire)
    with transaction.atomic():
        rows_of_a = claim(Account, "default", a, [9], 1)
    wait_until(lambda: free(9))
    with Account.objects.lock_rows(pk=9) as b:
        rows_of_a[9].balance -= 50
        with pytest.raises(StaleFence):
            rows_of_a[9].save()
        with b.write() as rows:
            rows.row.balance -= 30
            rows.row.save()
    assert balance() == 70


def test_early_waker_without_a_fence_loses_an_update(account: Account) -> None:
    """The control: the same order of reads and writes through plain updates."""
    a, b = Account.objects.get(pk=9), Account.objects.get(pk=9)
    for reader, taken in ((a, 50), (b, 30)):
        Account.objects.filter(pk=9).update(balance=reader.balance - taken)
    assert balance() == 70  # and not 20: the first update is gone, and nobody was told


def test_a_claim_that_comes_too_late_is_refused(account: Account) -> None:
    a = elsewhere(Lock((LABEL, 9), lease=0.01).acquire)
    wait_until(lambda: free(9))
    with Account.objects.lock_for_update(pk=9) as b:
        b.row.balance = 1
        b.row.save()
    with pytest.raises(StaleFence), transaction.atomic():
        claim(Account, "default", a, [9], 1)


def test_an_instance_read_before_a_claim_cannot_be_saved_after_it(account: Account) -> None:
    early = Account.objects.get(pk=9)
    stale = metrics.read().get(LABEL, {}).get("stale", 0)
    with Account.objects.lock_for_update(pk=9) as locked:
        locked.row.balance = 1
        locked.row.save()
    with pytest.raises(StaleFence):
        early.save()
    assert balance() == 1
    assert metrics.read()[LABEL]["stale"] == stale + 1
    with pytest.raises(StaleFence):
        Account.objects.only("balance").get(pk=9).save()  # it never knew the fence


def test_a_fence_that_fell_behind_its_row_heals(account: Account) -> None:
    """A new primary's clock may be behind the old one's."""
    ahead = 2**51
    Account.objects.create(pk=10)
    Account.objects.filter(pk=9).update(lock_fence=ahead)
    with Account.objects.lock_for_update(pk__in=[9, 10]) as locked:
        assert locked[9].lock_fence == ahead + 1
        locked[9].save()
        locked[10].save()
    with Account.objects.lock_for_update(pk=9) as locked:
        assert locked.row.lock_fence > ahead + 1


def test_waiting_for_a_row_whose_stopped_holder_has_an_open_transaction_ends(
    account: Account, threads: Threads
) -> None:
    claimed, go_on = threading.Event(), threading.Event()

    def stopped() -> None:
        with Account.objects.lock_for_update(pk=9, lease=0.05):
            claimed.set()
            go_on.wait(10)

    threads.start(stopped)
    claimed.wait(10)
    with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk=9, timeout=0.2):
        raise AssertionError
    go_on.set()


def test_a_timeout_covers_the_waits_in_redis_and_in_the_database_together(account: Account, threads: Threads) -> None:
    claimed, go_on = threading.Event(), threading.Event()

    def stopped() -> None:
        with Account.objects.lock_for_update(pk=9, lease=1.5):
            claimed.set()
            go_on.wait(10)

    threads.start(stopped)
    claimed.wait(10)
    began = time.monotonic()
    with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk=9, timeout=2):  # 1.5 s of it in Redis
        raise AssertionError
    assert time.monotonic() - began < 3
    go_on.set()


def test_a_timeout_does_not_cut_the_bodys_own_waits(account: Account, threads: Threads) -> None:
    owner = Owner.objects.create(name="Ana")
    held = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Owner.objects.filter(pk=owner.pk).update(name="Bia")
            held.set()
            wait_until(a_session_waits_for_a_lock)
            time.sleep(0.3)  # how long the other one waits, which is longer than its lock would have

    threads.start(hold)
    held.wait(10)
    with Account.objects.lock_for_update(pk=9, timeout=0.05):
        Owner.objects.filter(pk=owner.pk).update(name="Eva")
    threads.join()
    assert Owner.objects.get().name == "Eva"


def test_nowait(account: Account, threads: Threads) -> None:
    Account.objects.create(pk=10)
    with Lock((LABEL, 9)):

        def refused() -> None:
            with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk__in=[9, 10], nowait=True):
                raise AssertionError
            assert free(10)  # it took all or nothing

        threads.start(refused).join()


# ── money both ways ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_transfers_both_ways_neither_deadlock_nor_lose_an_update(account: Account, threads: Threads) -> None:
    """9 and 10, whose order as text is the other one, and which lie in two slots of a Cluster."""
    assert key_slot(names.key(A).encode()) != key_slot(names.key(B).encode())
    Account.objects.create(pk=10, balance=100)
    longest: list[float] = []

    def move(source: int, target: int, value: int, times: int = 500) -> None:
        for _ in range(times):
            began = time.monotonic()
            with Account.objects.lock_for_update(pk__in=[source, target], timeout=2) as locked:
                longest.append(time.monotonic() - began)
                locked[source].balance -= value
                locked[source].save()
                locked[target].balance += value
                locked[target].save()

    threads.start(lambda: move(9, 10, 1))
    threads.start(lambda: move(10, 9, 2))
    threads.start(lambda: move(9, 9, 3, times=200))  # from a row to itself: nothing
    threads.join(90)
    assert (balance(9), balance(10)) == (600, -400)
    assert len(longest) == 1200
    assert max(longest) < 2


def test_control_without_a_lock_transfers_lose_updates(account: Account, threads: Threads) -> None:
    Account.objects.create(pk=10, balance=100)
    both_read = threading.Barrier(2)

    def move(source: int, target: int, value: int) -> None:
        was = {pk: balance(pk) for pk in (source, target)}
        both_read.wait(10)
        Account.objects.filter(pk=source).update(balance=was[source] - value)
        Account.objects.filter(pk=target).update(balance=was[target] + value)

    threads.start(lambda: move(9, 10, 1))
    threads.start(lambda: move(10, 9, 2))
    threads.join()
    assert balance(9) != 101
    assert balance(10) != 99


# ── inside transactions ──────────────────────────────────────────────────────────────────────────────────────────────


def test_inside_atomic_it_refuses(account: Account) -> None:
    with transaction.atomic():
        with pytest.raises(RuntimeError), Account.objects.lock_for_update(pk=9):
            raise AssertionError
        with pytest.raises(RuntimeError), Account.objects.lock_rows(pk=9):
            raise AssertionError
    assert free(9)


def test_deferred_it_is_released_after_the_outermost_commit(account: Account, threads: Threads) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            with Account.objects.lock_for_update(pk=9, in_transaction="defer") as locked:
                locked.row.balance -= 30
                locked.row.save()
            inside.set()
            go_on.wait(10)
            order.append("first commits")

    def second() -> None:
        with Account.objects.lock_for_update(pk=9, timeout=10) as locked:
            order.append("second reads")
            locked.row.balance -= 30
            locked.row.save()

    threads.start(first)
    inside.wait(10)
    assert not free(9)
    threads.start(second)
    go_on.set()
    threads.join()
    assert order == ["first commits", "second reads"]
    assert balance() == 40
    assert free(9)


def test_released_before_the_commit_an_update_is_lost(account: Account) -> None:
    """The control: what deferring prevents. A reader between the release and the commit works on the old balance."""
    with transaction.atomic():
        with Lock((LABEL, 9)):
            Account.objects.filter(pk=9).update(balance=70)
        assert free(9)
        seen: list[int] = []
        threads = Threads()
        threads.start(lambda: seen.append(balance()))
        threads.join()
    assert seen == [100]


@pytest.mark.parametrize("end", ["rolled back", "inner savepoint rolled back", "a hook raises", "connection closed"])
def test_deferred_it_is_released_however_the_transaction_ends(account: Account, end: str) -> None:
    def raising() -> None:
        raise ZeroDivisionError

    try:
        with transaction.atomic():
            if end == "a hook raises":
                transaction.on_commit(raising)
            try:
                with transaction.atomic():
                    with Account.objects.lock_for_update(pk=9, in_transaction="defer"):
                        pass
                    if end == "inner savepoint rolled back":
                        raise LookupError
            except LookupError:
                pass
            if end == "rolled back":
                raise ZeroDivisionError
            if end == "connection closed":
                connection.close()
    except ZeroDivisionError:
        pass
    assert free(9)
    assert "set_autocommit" not in vars(connection)
    assert "close" not in vars(connection)


def test_two_deferred_locks(account: Account) -> None:
    Account.objects.create(pk=10)
    with transaction.atomic():
        for pk in (9, 10):
            with Account.objects.lock_for_update(pk=pk, in_transaction="defer"):
                pass
        assert not free(9)
        assert not free(10)
    assert free(9, 10)
    assert "set_autocommit" not in vars(connection)


def test_control_an_inner_lock_with_a_fence_of_its_own_fences_its_outer_out(account: Account) -> None:
    """What locks do whose re-entry raises the token (Redisson's)."""
    with pytest.raises(StaleFence), Account.objects.lock_for_update(pk=9) as outer:  # noqa: PT012
        claim_with(Account, "default", {9: outer.row.lock_fence + 1}, 1)
        outer.row.save()


def test_nested_the_inner_block_fails_and_the_outer_still_writes(account: Account) -> None:
    with Account.objects.lock_for_update(pk=9) as outer:
        outer.row.balance -= 30
        outer.row.save()
        with pytest.raises(ZeroDivisionError), Account.objects.lock_for_update(pk=9) as inner:  # noqa: PT012
            assert inner.row.lock_fence == outer.row.lock_fence
            assert inner.row.balance == 70
            inner.row.balance = 0
            inner.row.save()
            raise ZeroDivisionError
        outer.row.balance -= 30
        outer.row.save()
    assert balance() == 40
    more = Account.objects.lock_for_update(pk__in=[9, 10])
    with Account.objects.lock_for_update(pk=9), pytest.raises(RuntimeError), more:
        raise AssertionError


def test_a_lock_whose_savepoint_rolled_back_claims_again(account: Account) -> None:
    """It is held until the outermost transaction ends, but the claim went with the savepoint."""
    with transaction.atomic():
        try:
            with transaction.atomic(), Account.objects.lock_for_update(pk=9, in_transaction="defer") as first:
                fence = first.row.lock_fence
                raise LookupError
        except LookupError:
            pass
        assert Account.objects.get(pk=9).lock_fence < fence
        with Account.objects.lock_for_update(pk=9, in_transaction="defer") as again:
            assert again.row.lock_fence == fence
            again.row.balance -= 30
            again.row.save()
    assert balance() == 70
    assert free(9)


@pytest.mark.parametrize("pks", [[9], [9, 10], [1]])
@pytest.mark.parametrize("was", ["0", "7s"])
def test_the_lock_timeout_of_a_claim_is_gone_after_it(account: Account, pks: list[int], was: str) -> None:
    """Whether it found its rows or not."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [was])
        with Account.objects.lock_for_update(pk__in=pks, in_transaction="defer"):
            pass
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == (was,)


def test_nor_is_it_left_after_a_claim_that_was_refused(account: Account, threads: Threads) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=9)
            held.set()
            go_on.wait(10)

    threads.start(hold)
    held.wait(10)
    with transaction.atomic(), connection.cursor() as cursor:
        locked = Account.objects.lock_for_update(pk=9, timeout=0.1, in_transaction="defer")
        with pytest.raises(LockNotAvailable), transaction.atomic(), locked:
            raise AssertionError
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
    go_on.set()


# ── split ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_split_holds_no_transaction_and_writes_under_the_fence(account: Account) -> None:
    with Account.objects.lock_rows(pk=9) as lock:
        assert not connection.in_atomic_block
        assert lock.rows.row.balance == 100
        assert not free(9)
        lock.check()
        with lock.write() as rows:
            rows.row.balance -= 30
            rows.row.save()
    assert balance() == 70
    assert free(9)


def test_split_a_write_after_a_later_claim_is_refused(account: Account) -> None:
    with Account.objects.lock_rows(pk=9, lease=0.05, max_hold=0) as slow:
        threads = Threads()

        def later() -> None:
            with Account.objects.lock_for_update(pk=9) as locked:
                locked.row.balance -= 30
                locked.row.save()

        threads.start(later)
        threads.join()
        with pytest.raises(StaleFence), slow.write():
            raise AssertionError
    assert balance() == 70


def test_split_a_write_waits_no_longer_than_its_timeout(account: Account, threads: Threads) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Account.objects.select_for_update().get(pk=9)
            held.set()
            go_on.wait(10)

    with Account.objects.lock_rows(pk=9, timeout=0.1) as lock:
        threads.start(hold)
        held.wait(10)
        with pytest.raises(LockNotAvailable), lock.write():
            raise AssertionError
        go_on.set()
        threads.join()
        with lock.write() as rows:
            rows.row.save()


# ── asyncio ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def take_ten(rows: dict[int, Account]) -> int:
    with Account.objects.lock_for_update(pk=9) as inner:  # the thread is the holder now
        inner.row.balance -= 10
        inner.row.save()
    return inner.row.balance


async def test_tasks(account: Account, close_connections: None) -> None:
    left = await asyncio.gather(*(Account.objects.arun_locked(take_ten, pk=9) for _ in range(5)))
    assert sorted(left) == [50, 60, 70, 80, 90]

    async with Account.objects.lock_rows(pk=9) as lock:

        def write(rows: dict[int, Account]) -> None:
            rows[9].balance = 1
            rows[9].save()

        await lock.awrite(write)
    assert (await Account.objects.aget(pk=9)).balance == 1


async def test_a_cancelled_call_has_committed_or_not_begun(account: Account, close_connections: None) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(rows: dict[int, Account]) -> None:
        begun.set()
        go_on.wait(10)
        rows[9].balance = 1
        rows[9].save()

    task = asyncio.create_task(Account.objects.arun_locked(slow, pk=9))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    assert not free(9)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await Account.objects.aget(pk=9)).balance == 1
    assert free(9)
