"""Who holds, who waits, and force-release."""

from __future__ import annotations

import os
import threading

import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import in_line
from woovi import redis
from woovi.locks import Lock, StaleFence, names
from woovi.locks.holders import current, force_release, look
from woovi.locks.lock import ACQUIRE
from woovi.locks.names import Row

LABEL = "vault.account"


def test_holders_and_waiters_are_listed_and_a_hanging_one_is_put_out(account: Account, threads: Threads) -> None:
    with Account.objects.lock_rows(pk=9) as hanging:
        threads.start(lambda: Lock((LABEL, 9), timeout=10).acquire().release())
        wait_until(lambda: [len(each.waiting) for each in current(LABEL)] == [1])
        (held,) = current()
        assert (held.label, held.pk, held.fence) == (LABEL, "9", hanging.rows.row.lock_fence)
        assert 0 < held.seconds_left <= 10
        assert 0 < held.waiting[0].seconds < held.seconds_held < 60
        assert held.owner.split("/")[1] == held.waiting[0].owner.split("/")[1] == str(os.getpid())
        assert look(LABEL, 9) is not None
        assert look(LABEL, 10) is None
        assert current("vault.owner") == []

        assert force_release(Account, "9")
        threads.join()
        with pytest.raises(StaleFence), hanging.write():
            raise AssertionError
    assert current() == []


def test_who_was_handed_a_row_is_its_holder_and_no_waiter(threads: Threads, topology: Topology) -> None:
    """Also in the moment before it says so: the server serves who waited longest."""
    held, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        with Lock((LABEL, 9), timeout=10):
            held.set()
            go_on.wait(10)

    first = Lock((LABEL, 9)).acquire()
    threads.start(wait)
    wait_until(lambda: in_line(topology) == 1)
    (waiter,) = look(LABEL, 9).waiting  # type: ignore[union-attr]
    threads.start(lambda: Lock((LABEL, 9), timeout=10).acquire().release())
    wait_until(lambda: in_line(topology) == 2)
    first.release()
    assert held.wait(10)
    for _ in range(2):
        now = look(LABEL, 9)
        assert now
        assert (now.owner, len(now.waiting)) == (waiter.owner, 1)
        wait_until(lambda: redis.client("locks").get(names.key(Row(LABEL, 9))).startswith(waiter.owner.encode()))  # type: ignore[union-attr]
    go_on.set()


def test_a_waiter_that_died_waiting_is_not_shown() -> None:
    with Lock((LABEL, 9)):
        ACQUIRE(redis.client("locks"), names.keys([Row(LABEL, 9)]), ["h/1/dead.1", 10_000, 1, "wait", 0, 0])
        wait_until(lambda: look(LABEL, 9).waiting == ())  # type: ignore[union-attr]


@on_valkey
def test_control_a_plain_delete_lets_the_hanging_holder_write(account: Account) -> None:
    with Account.objects.lock_rows(pk=9) as hanging, hanging.write() as rows:
        rows.row.save()


def test_a_holder_in_its_transaction_keeps_the_row_until_it_ends(account: Account, threads: Threads) -> None:
    answers: list[bool] = []
    with Account.objects.lock_for_update(pk=9):
        threads.start(lambda: answers.append(force_release(Account, 9)))
        threads.join()
    assert answers == [False]
