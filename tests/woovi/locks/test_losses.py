"""Replies that are lost on their way, and locks that a failover lost. A real proxy before each server loses them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import redis as redis_py
from django.db import transaction
from redis.exceptions import RedisError

from tests.processes import wait_until
from tests.topologies.fixtures import NAMES, Park, on_valkey, serving
from tests.topologies.proxy import Proxy
from tests.topologies.servers import Server
from tests.topologies.topologies import Sentinels, Topology
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, B, elsewhere, free, holder, in_line, queue
from woovi import redis
from woovi.locks import Lock, LockNotAvailable, StaleFence, metrics, names
from woovi.locks.claims import claim
from woovi.locks.lock import GRANT, TURN

LABEL = "vault.account"
SCRIPT = b"EVALSHA"


@pytest.fixture(params=NAMES)
def topology(request: pytest.FixtureRequest, topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topology]:
    yield from serving(topologies.get(request.param, proxied=True), monkeypatch)


@pytest.fixture
def proxy(topology: Topology) -> Proxy:
    """The one before the server that keeps A. The scripts are loaded: no reply will be "unknown script"."""
    with Lock(A, B):
        pass
    found = topology.server_of(names.key(A)).proxy
    assert found
    return found


# ── replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_reply_to_acquire_leaves_it_owned_with_the_same_fence(proxy: Proxy) -> None:
    proxy.lose_reply(SCRIPT)
    with Lock(A, B) as lock:
        (reply,) = proxy.lost
        assert b":%d\r\n" % lock.fences[A] in reply
        assert all(holder(row).endswith(f":{fence}") for row, fence in lock.fences.items())
    assert free(A, B)


async def test_a_task_too(proxy: Proxy) -> None:
    async with Lock(A):  # loads what this loop's client does not know
        pass
    proxy.lose_reply(SCRIPT)
    async with Lock(A) as lock:
        (reply,) = proxy.lost
        assert b":%d\r\n" % lock.fences[A] in reply
        proxy.lose_reply(SCRIPT)
    assert len(proxy.lost) == 2
    assert not holder(A)


def test_a_lost_reply_to_release_releases_once_and_is_no_lost_lock(proxy: Proxy) -> None:
    lost = metrics.read()[LABEL]["lost"]
    with Lock(A):
        proxy.lose_reply(SCRIPT)
    assert len(proxy.lost) == 1
    assert free(A)
    assert metrics.read()[LABEL]["lost"] == lost


def test_a_lost_reply_to_a_waiter_queues_it_once(proxy: Proxy, threads: Threads) -> None:
    holding, served = Lock(A).acquire(), threading.Event()

    def wait() -> None:
        with Lock(A, timeout=10):
            served.set()

    proxy.lose_reply(b"wait")
    threads.start(wait)
    wait_until(lambda: len(proxy.lost) == 1 and queue() == 1)
    holding.release()
    assert served.wait(10)
    threads.join()
    assert queue() == 0
    assert free(A)


def test_a_lost_hand_costs_its_grant_and_no_more(proxy: Proxy, topology: Topology, threads: Threads) -> None:
    holding, served = Lock(A).acquire(), list[float]()

    def wait() -> None:
        with Lock(A, timeout=10):
            served.append(time.monotonic())

    proxy.lose_reply(b"BLPOP")
    threads.start(wait)
    wait_until(lambda: in_line(topology) == 1)
    released = time.monotonic()
    holding.release()
    threads.join()
    assert b"lk:{" in proxy.lost[0]
    assert served[0] - released < GRANT + TURN + 1
    assert queue() == 0
    assert free(A)


@pytest.mark.in_time
def test_a_lock_that_cannot_be_given_back_is_no_error(account: Account, topology: Topology) -> None:
    """What was done is committed by then; the lease ends it."""
    with Account.objects.lock_for_update(pk=9) as locked:
        locked.row.balance = 1
        locked.row.save()
        for server in topology.servers:
            server.freeze()
    for server in topology.servers:
        server.thaw()
    account.refresh_from_db()
    assert account.balance == 1


@on_valkey
def test_control_redis_pys_lock_says_no_and_locks_itself_out(proxy: Proxy, topology: Topology) -> None:
    with redis_py.Redis(port=topology.server_of("lk:{control}").port) as client:
        client.ping()
        door = topology.server_of("lk:{control}").proxy
        assert door
        door.lose_reply(b"lk:{control}")
        lock = client.lock("lk:{control}", timeout=30)
        assert not lock.acquire(blocking=False)  # sent again by the client, it met its own key
        assert client.exists("lk:{control}")


# ── a failover ───────────────────────────────────────────────────────────────────────────────────────────────────────


def stall(topology: Topology) -> None:
    """From now on replicas hear nothing."""
    for server in topology.servers:
        if server.proxy:
            server.proxy.stall_replication()


def fail_over(topology: Topology) -> None:
    """Kill whoever keeps A; its replica is promoted, or it comes back with nothing."""
    if isinstance(topology, Sentinels):
        topology.failover()
    else:
        topology.server_of(names.key(A)).kill()
        topology.server_of(names.key(A)).start()
    wait_until(_answers)


def _has_key(server: Server) -> bool:
    with server.ask() as client:
        return bool(client.exists(names.key(A)))


def _answers() -> bool:
    try:
        redis.client("locks").get(names.key(A))
    except (RedisError, OSError):
        return False
    return True


def test_a_fence_grows_over_a_failover_that_lost_it(topology: Topology) -> None:
    stall(topology)
    first = elsewhere(Lock(A).acquire)
    fail_over(topology)
    with Lock(A, timeout=10) as second:
        assert second.fences[A] > first.fences[A]
    first.release()
    assert first.lost


def test_after_a_failover_that_lost_the_lock_the_first_holder_is_refused(
    account: Account, topology: Topology, threads: Threads
) -> None:
    stall(topology)
    with Account.objects.lock_rows(pk=9) as first:
        fail_over(topology)
        assert not holder(A), "the lock was to be lost"

        def second() -> None:
            with Account.objects.lock_for_update(pk=9, timeout=10) as locked:
                locked.row.balance -= 30
                locked.row.save()

        threads.start(second)
        threads.join()
        with pytest.raises(StaleFence), first.write():
            raise AssertionError
        with pytest.raises(StaleFence):
            first.rows.row.save()
    account.refresh_from_db()
    assert account.balance == 70


def test_a_holder_that_has_not_claimed_yet_is_refused_too(
    account: Account, topology: Topology, threads: Threads
) -> None:
    stall(topology)
    first = elsewhere(Lock(A).acquire)
    fail_over(topology)

    def second() -> None:
        with Account.objects.lock_for_update(pk=9, timeout=10) as locked:
            assert locked.row.lock_fence > first.fences[A]

    threads.start(second)
    threads.join()
    with pytest.raises(StaleFence), transaction.atomic():
        claim(Account, "default", first, [9], 1)
    first.release()
    assert first.lost


def test_control_a_lock_that_was_replicated_is_still_held(topology: Topology) -> None:
    """It is the loss that lets the second in, not the failover."""
    first = elsewhere(Lock(A, lease=60).acquire)
    if isinstance(topology, Sentinels):
        wait_until(lambda: all(_has_key(server) for server in topology.data))
        fail_over(topology)
    with pytest.raises(LockNotAvailable):
        Lock(A, timeout=0.3).acquire()
    first.release()
    assert free(A)


def test_control_without_the_fence_the_first_holder_undoes_what_the_second_wrote(
    account: Account, topology: Topology
) -> None:
    stall(topology)
    first = elsewhere(Lock(A).acquire)
    seen = Account.objects.get(pk=9).balance
    fail_over(topology)
    with Lock(A, timeout=10):
        Account.objects.filter(pk=9).update(balance=seen - 30)
    Account.objects.filter(pk=9).update(balance=seen - 50)
    first.release()
    account.refresh_from_db()
    assert account.balance == 50  # not 20: an update is lost, and nobody was told
