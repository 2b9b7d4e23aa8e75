"""lock_for_update: what is claimed, when it is given back, who is refused."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import transaction

from tests.processes import a_session_waits_for_a_lock, wait_until
from tests.topologies.fixtures import on_valkey
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account, Owner
from tests.woovi.locks.others import A, balance, elsewhere, free
from woovi.locks import Lock, LockNotAvailable, StaleFence, metrics
from woovi.locks.claims import claim

LABEL = "vault.account"

pytestmark = on_valkey


def test_a_body_that_raises_writes_nothing_and_gives_back(account: Account) -> None:
    with pytest.raises(ZeroDivisionError), Account.objects.lock_for_update(pk=9) as locked:  # noqa: PT012
        locked.row.balance = 0
        locked.row.save()
        raise ZeroDivisionError
    assert balance() == 100
    assert free(A)


def test_missing_rows(account: Account) -> None:
    with pytest.raises(Account.DoesNotExist), Account.objects.lock_for_update(pk=1):
        raise AssertionError
    assert free((LABEL, 1))
    with Account.objects.lock_for_update(pk__in=[1, 9]) as locked:
        assert list(locked) == [9]


def test_early_waker_is_refused(account: Account) -> None:
    """A reads under its fence and stalls past its lease; B takes the row; A wakes and writes, then B writes."""
    a = elsewhere(Lock((LABEL, 9), lease=0.01).acquire)
    with transaction.atomic():
        rows_of_a = claim(Account, "default", a, [9], 1)
    wait_until(lambda: free(A))
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
    wait_until(lambda: free(A))
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
        with Account.objects.lock_for_update(pk=9, lease=5):
            claimed.set()
            go_on.wait(30)

    threads.start(stopped)
    claimed.wait(10)
    began = time.monotonic()
    with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk=9, timeout=5.5):  # 5 s of it in Redis
        raise AssertionError
    assert time.monotonic() - began < 10.4  # two waits of their own would take 10.5
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
