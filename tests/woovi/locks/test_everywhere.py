"""Rows locked, waited for and written on each topology: what the other files try in detail on one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import connection, transaction
from redis.cluster import key_slot

from tests.topologies.fixtures import on_valkey
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, B, balance, free
from woovi.locks import Lock, LockNotAvailable, names

LABEL = "vault.account"


def test_the_body_sees_the_row_under_its_claim_and_the_lock_ends_after_the_commit(account: Account) -> None:
    with Account.objects.lock_for_update(pk="9") as locked:
        assert connection.in_atomic_block
        assert locked["9"] is locked.row
        assert locked.row.lock_fence > 0
        locked.row.balance -= 30
        locked.row.save()
    assert balance() == 70
    assert free(A)


def test_nowait(account: Account, threads: Threads) -> None:
    Account.objects.create(pk=10)
    with Lock((LABEL, 9)):

        def refused() -> None:
            with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk__in=[9, 10], nowait=True):
                raise AssertionError
            assert free(B)  # it took all or nothing

        threads.start(refused).join()


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


def test_transfers_both_ways_neither_deadlock_nor_lose_an_update(account: Account, threads: Threads) -> None:
    """9 and 10, whose order as text is the other one, and which lie in two slots of a Cluster."""
    assert key_slot(names.key(A).encode()) != key_slot(names.key(B).encode())
    Account.objects.create(pk=10, balance=100)

    def move(source: int, target: int, value: int, times: int = 150) -> None:
        for _ in range(times):
            with Account.objects.lock_for_update(pk__in=[source, target], timeout=10) as locked:  # a deadlock's end
                locked[source].balance -= value
                locked[source].save()
                locked[target].balance += value
                locked[target].save()

    threads.start(lambda: move(9, 10, 1))
    threads.start(lambda: move(10, 9, 2))
    threads.start(lambda: move(9, 9, 3, times=60))  # from a row to itself: nothing
    threads.join(90)
    assert (balance(9), balance(10)) == (250, -50)


@on_valkey
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
    assert not free(A)
    threads.start(second)
    go_on.set()
    threads.join()
    assert order == ["first commits", "second reads"]
    assert balance() == 40
    assert free(A)


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
