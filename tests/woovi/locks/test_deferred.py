"""Inside a transaction of the caller's: refused, or deferred until its end."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from tests.topologies.fixtures import on_valkey
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, B, balance, free
from woovi.locks import Lock, LockNotAvailable, StaleFence
from woovi.locks.claims import claim_with

LABEL = "vault.account"

pytestmark = on_valkey


def test_inside_atomic_it_refuses(account: Account) -> None:
    with transaction.atomic():
        with pytest.raises(RuntimeError), Account.objects.lock_for_update(pk=9):
            raise AssertionError
        with pytest.raises(RuntimeError), Account.objects.lock_rows(pk=9):
            raise AssertionError
    assert free(A)


def test_released_before_the_commit_an_update_is_lost(account: Account) -> None:
    """The control: what deferring prevents. A reader between the release and the commit works on the old balance."""
    with transaction.atomic():
        with Lock((LABEL, 9)):
            Account.objects.filter(pk=9).update(balance=70)
        assert free(A)
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
    assert free(A)
    assert "set_autocommit" not in vars(connection)
    assert "close" not in vars(connection)


def test_two_deferred_locks(account: Account) -> None:
    Account.objects.create(pk=10)
    with transaction.atomic():
        for pk in (9, 10):
            with Account.objects.lock_for_update(pk=pk, in_transaction="defer"):
                pass
        assert not free(A)
        assert not free(B)
    assert free(A, B)
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
    assert free(A)


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
