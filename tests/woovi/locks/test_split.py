"""lock_rows: read and write in transactions of their own, with none in between; and tasks."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import connection, transaction

from tests.topologies.fixtures import on_valkey
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, balance, free
from woovi.locks import LockNotAvailable, StaleFence

pytestmark = on_valkey


def test_split_holds_no_transaction_and_writes_under_the_fence(account: Account) -> None:
    with Account.objects.lock_rows(pk=9) as lock:
        assert not connection.in_atomic_block
        assert lock.rows.row.balance == 100
        assert not free(A)
        lock.check()
        with lock.write() as rows:
            rows.row.balance -= 30
            rows.row.save()
    assert balance() == 70
    assert free(A)


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
    assert not free(A)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await Account.objects.aget(pk=9)).balance == 1
    assert free(A)
