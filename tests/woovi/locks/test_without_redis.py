"""Redis is gone: the database does it alone, or the lock refuses, as the setting says."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Sentinels, Topology
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from woovi import database, redis
from woovi.locks import Lock, LockNotAvailable, LocksUnavailable, metrics

pytestmark = pytest.mark.in_time

LABEL = "vault.account"


@pytest.fixture(autouse=True)
def _gone(topology: Topology, tables: None) -> None:
    redis.client("locks").ping()  # a process that knew its Cluster
    for server in topology.servers:
        if isinstance(topology, Sentinels):
            server.freeze()  # killed, all at once, Sentinels would not find back to who was the primary
        else:
            server.kill()


def test_a_lock_refuses() -> None:
    with pytest.raises(LocksUnavailable):
        Lock((LABEL, 9)).acquire()


@on_valkey
def test_by_setting_rows_refuse_too(settings: Any, account: Account) -> None:
    settings.LOCKS_WITHOUT_REDIS = "refuse"
    with pytest.raises(LocksUnavailable), Account.objects.lock_for_update(pk=9):
        raise AssertionError
    with pytest.raises(LocksUnavailable), Account.objects.lock_rows(pk=9):
        raise AssertionError


def test_the_database_locks_alone_and_it_is_counted(account: Account, threads: Threads) -> None:
    before = metrics.read().get(LABEL, {}).get("fallbacks", 0)

    def move() -> None:
        for _ in range(20):
            with Account.objects.lock_for_update(pk=9, timeout=10) as locked:
                balance = locked.row.balance
                with Account.objects.lock_for_update(pk=9) as inner:
                    assert inner.row.balance == balance
                locked.row.balance = balance - 1
                locked.row.save()

    for _ in range(4):
        threads.start(move)
    threads.join()
    account.refresh_from_db()
    assert account.balance == 20
    assert metrics.read()[LABEL]["fallbacks"] >= before + 80


@on_valkey
def test_nowait(account: Account, threads: Threads) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with Account.objects.lock_for_update(pk=9):
            held.set()
            go_on.wait(10)

    threads.start(hold)
    assert held.wait(10)
    with pytest.raises(LockNotAvailable), Account.objects.lock_for_update(pk=9, nowait=True):
        raise AssertionError
    go_on.set()


@on_valkey
def test_split_one_at_a_time_without_a_transaction(account: Account, threads: Threads) -> None:
    with Account.objects.lock_rows(pk=9) as lock:
        assert not connection.in_atomic_block

        def refused() -> None:
            with pytest.raises(LockNotAvailable), Account.objects.lock_rows(pk=9, timeout=0.1):
                raise AssertionError

        threads.start(refused).join()
        with lock.write() as rows:
            rows.row.balance = 1
            rows.row.save()
    account.refresh_from_db()
    assert account.balance == 1
    with Account.objects.lock_rows(pk=9, nowait=True):
        pass


def borrow() -> None:
    """Take whatever session the pool gives, and keep it a moment, as another request would."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()


@on_valkey
def test_split_it_is_not_lost_with_the_pooled_session(account: Account, threads: Threads) -> None:
    """The bank call gives this thread's connection back to the pool, where the next thread finds it."""
    with Account.objects.lock_rows(pk=9) as lock:
        database.let_go()
        for _ in range(3):
            threads.start(borrow).join()

        def refused() -> None:
            with pytest.raises(LockNotAvailable), Account.objects.lock_rows(pk=9, timeout=0.1):
                raise AssertionError

        threads.start(refused).join()
        with lock.write() as rows:
            rows.row.save()

    def taken() -> None:
        with Account.objects.lock_rows(pk=9, timeout=0.1):
            pass

    threads.start(taken).join()  # and nothing stays locked after it


@on_valkey
def test_control_a_sessions_lock_passes_to_whoever_borrows_the_session(account: Account, threads: Threads) -> None:
    sessions: list[int] = []

    def take() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            sessions.append(cursor.fetchone()[0])
            cursor.execute("SELECT pg_try_advisory_lock(4711)")
            got = cursor.fetchone()[0]
        connection.close()
        assert got is (sessions[-1] == sessions[0])  # the first one never gave it back

    for _ in range(25):  # more often than the pool has sessions
        threads.start(take).join()
    assert sessions.count(sessions[0]) > 1
    connection.close_pool()


@on_valkey
def test_split_a_holder_that_hangs_loses_it_as_in_redis(account: Account, threads: Threads) -> None:
    with Account.objects.lock_rows(pk=9, lease=0.2, max_hold=0.2):

        def taken() -> None:
            with Account.objects.lock_rows(pk=9, timeout=5):
                pass

        threads.start(taken).join()


def test_back_again_redis_is_used(account: Account, topology: Topology) -> None:
    with Account.objects.lock_for_update(pk=9) as locked:
        fence = locked.row.lock_fence
    topology.heal()

    def used() -> bool:
        before = metrics.read()[LABEL]["fallbacks"]
        with Account.objects.lock_for_update(pk=9) as locked:
            assert locked.row.lock_fence > fence
        return metrics.read()[LABEL]["fallbacks"] == before

    wait_until(used)
