"""The lock itself: fences that grow, rows in order, waiters that are woken, leases that end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.others import A, B, elsewhere, free, holder, in_line, queue
from woovi import redis
from woovi.locks import Lock, LockLost, LockNotAvailable, metrics, names
from woovi.locks import lock as module
from woovi.locks.lock import ACQUIRE
from woovi.locks.names import Row
from woovi.redis.waiting import Waiting

# ── fences ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fence_grows_over_a_flush(topology: Topology) -> None:
    fences = []
    for _ in range(3):
        with Lock(A) as lock:
            fences.append(lock.fences[A])
        for server in topology.primaries():
            with server.ask() as client:
                client.flushall()
    assert fences == sorted(set(fences))


@on_valkey
def test_control_a_counter_does_not() -> None:
    client = redis.client("locks")
    first = [client.incr("lk:{control}:f"), client.incr("lk:{control}:f")]
    client.delete("lk:{control}:f")
    assert client.incr("lk:{control}:f") < max(first)


# ── several rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


@on_valkey
def test_rows_are_ordered_by_their_type() -> None:
    assert Lock(("a.b", 10), ("a.b", 9), ("a.a", 11)).rows == [("a.a", 11), ("a.b", 9), ("a.b", 10)]


def test_nowait_takes_all_or_nothing() -> None:
    with Lock(B):
        with pytest.raises(LockNotAvailable):
            elsewhere(Lock(A, B, nowait=True).acquire)
        assert free(A)


def test_opposite_orders_do_not_deadlock(threads: Threads) -> None:
    moved: list[Row] = []

    def move(*rows: Row) -> None:
        for _ in range(100):
            with Lock(*rows, timeout=10):  # which ends a deadlock
                moved.append(rows[0])

    for rows in ((A, B), (B, A), (A, A)):
        threads.start(lambda rows=rows: move(*rows))
    threads.join()
    assert len(moved) == 300


@on_valkey
def test_control_unordered_waits_do_deadlock(threads: Threads) -> None:
    both = threading.Barrier(2)
    refused: list[Row] = []

    def move(first: Row, second: Row) -> None:
        with Lock(first):
            both.wait(10)
            try:
                elsewhere(Lock(second, timeout=0.3).acquire).release()
            except LockNotAvailable:
                refused.append(second)

    threads.start(lambda: move(A, B))
    threads.start(lambda: move(B, A))
    threads.join()
    assert refused


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_first_come_first_served(threads: Threads, topology: Topology) -> None:
    served: list[int] = []
    with Lock(A):
        for number in range(5):

            def wait(number: int = number) -> None:
                with Lock(A, timeout=10):
                    served.append(number)

            threads.start(wait)
            wait_until(lambda number=number: in_line(topology) == number + 1)
    threads.join()
    assert served == [0, 1, 2, 3, 4]
    assert queue() == 0


def test_a_waiter_is_woken_and_does_not_poll(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN", 60)
    took: list[float] = []

    def wait() -> None:
        with Lock(A, timeout=20):
            took.append(time.monotonic())

    lock = Lock(A).acquire()
    threads.start(wait)
    wait_until(lambda: queue() == 1)
    released = time.monotonic()
    lock.release()
    threads.join()
    assert took[0] - released < 10


@on_valkey
def test_control_who_hears_nothing_asks_again_and_loses_no_more(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Waiting, "answer", lambda *_: time.sleep(0.05))
    lock = Lock(A).acquire()

    def wait() -> None:
        with Lock(A, timeout=10):
            pass

    threads.start(wait)
    wait_until(lambda: queue() == 1)
    lock.release()
    threads.join()


def test_a_dead_holder_delays_no_longer_than_its_lease() -> None:
    began = time.monotonic()
    elsewhere(Lock(A, lease=0.3).acquire)  # and never released
    with Lock(A, timeout=40):
        assert 0.2 < time.monotonic() - began < 20


def test_a_dead_waiter_delays_no_longer_than_its_grant() -> None:
    keys = names.keys([A])
    lock = Lock(A).acquire()
    ACQUIRE(redis.client("locks"), keys, ["nobody/1/dead.1", 60_000, 60_000, "wait", 0, 0])  # then its process died
    lock.release()
    began = time.monotonic()
    with Lock(A, timeout=20):
        assert time.monotonic() - began < module.GRANT + 15


def test_a_waiter_that_hangs_delays_no_longer_than_its_grant(threads: Threads, topology: Topology) -> None:
    """Its socket is open, so the server hands the row to it; its process is stopped."""
    lock = Lock(A).acquire()
    ACQUIRE(redis.client("locks"), names.keys([A]), ["nobody/1/stopped.1", 60_000, 60_000, "wait", 0, 0])
    served: list[float] = []

    def wait() -> None:
        with Lock(A, timeout=20):
            served.append(time.monotonic())

    with Waiting(redis.client("locks"), names.key(A)) as stopped:
        assert stopped.answer(0, "BLPOP", names.key(A) + ":h", 60) is None
        wait_until(lambda: in_line(topology) == 1)
        threads.start(wait)
        wait_until(lambda: in_line(topology) == 2)
        began = time.monotonic()
        lock.release()
        threads.join()
    assert module.GRANT / 2 < served[0] - began < module.GRANT + module.TURN + 5


def test_who_was_handed_a_row_too_long_ago_knows_that_it_is_not_his(
    threads: Threads, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread slept over the grant, and somebody else took the row."""
    answer = Waiting.answer
    slept, go_on = threading.Event(), threading.Event()

    def late(self: Waiting, *given: Any) -> Any:
        found = answer(self, *given)
        if found and not slept.is_set():
            slept.set()
            assert go_on.wait(10)
        return found

    monkeypatch.setattr(Waiting, "answer", late)
    fences: list[int] = []

    def wait() -> None:
        with Lock(A, timeout=10) as lock:
            with pytest.raises(LockLost):
                lock.check()
            fences.append(lock.fences[A])

    lock = Lock(A).acquire()
    threads.start(wait)
    wait_until(lambda: in_line(topology) == 1)
    lock.release()
    assert slept.wait(10)
    wait_until(lambda: not holder())
    with Lock(A) as other:
        go_on.set()
        threads.join()
        assert fences[0] < other.fences[A]
        assert holder().endswith(str(other.fences[A]))  # and the late one's release left it alone


def test_a_time_out_leaves_no_waiter() -> None:
    with Lock(A):
        with pytest.raises(LockNotAvailable):
            elsewhere(Lock(A, timeout=0.1).acquire)
        assert queue() == 0
    assert free(A)


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_renewal_keeps_a_lock_past_its_lease_but_not_past_max_hold() -> None:
    with Lock(A, B, lease=0.6, max_hold=3.0) as lock:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.9)
        lock.check()
        assert holder(A)
        assert holder(B)
        wait_until(lambda: not holder())
        with pytest.raises(LockLost):
            lock.check()


@on_valkey
@pytest.mark.parametrize("extended", [False, True])
def test_we_never_think_that_it_is_ours_longer_than_redis_does(extended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis counts from when it hears of us, not from when we hear its answer, and in whole milliseconds."""
    asked: list[float] = []

    def late(*args: Any) -> Any:
        asked.append(time.monotonic())
        answer = ACQUIRE(*args)
        time.sleep(0.02)  # on its way
        return answer

    monkeypatch.setattr(module, "ACQUIRE", late)
    with Lock(A, B, lease=5) as lock:
        if extended:
            asked.clear()
            lock.extend()
        assert asked[0] + 4 < lock._ends < asked[0] + 5 - 0.001


def test_without_renewal_the_lease_ends_and_check_says_so() -> None:
    lost = metrics.read().get("vault.account", {}).get("lost", 0)
    with Lock(A, lease=0.05) as lock:
        wait_until(lambda: not holder())
        with pytest.raises(LockLost):
            lock.check()
    assert metrics.read()["vault.account"]["lost"] == lost + 1


def test_a_handed_over_lock_gets_its_whole_lease(threads: Threads) -> None:
    held, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        with Lock(A, timeout=10) as lock:
            held.set()
            go_on.wait(10)
            lock.check()

    lock = Lock(A).acquire()
    threads.start(wait)
    wait_until(lambda: queue() == 1)
    lock.release()
    held.wait(10)
    wait_until(lambda: redis.client("locks").pttl(names.key(A)) > module.GRANT * 1000)
    go_on.set()


def test_a_late_release_deletes_nobody_elses_lock() -> None:
    first = elsewhere(Lock(A, lease=0.05).acquire)
    wait_until(lambda: not holder())
    with Lock(A):
        mine = holder()
        first.release()
        assert holder() == mine


def test_extending_takes_nothing_anew() -> None:
    assert ACQUIRE(redis.client("locks"), names.keys([A]), ["me/1/x.1", 1000, 1000, "keep", 0, 0])[0] == 0
    assert not holder()
