"""The lock itself: replies that are lost, fences that grow, waiters that are woken, tasks that are cancelled."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest
from redis import exceptions

from tests.processes import wait_until
from tests.topologies.topologies import Sentinels, Topology
from tests.woovi.locks.conftest import Threads
from tests.woovi.locks.others import elsewhere, free
from woovi import redis
from woovi.locks import Lock, LockLost, LockNotAvailable, metrics, names, wake
from woovi.locks import lock as module
from woovi.locks.names import Row
from woovi.locks.scripts import ACQUIRE, EXTEND, RELEASE
from woovi.redis import Script

A, B = Row("vault.account", 9), Row("vault.account", 10)


def holder(row: Row = A) -> str:
    return (redis.client("locks").get(names.key(row)) or b"").decode()


def queue(row: Row = A) -> int:
    return int(redis.client("locks").zcard(names.key(row) + ":q"))


class Losing:
    """A script whose first reply is lost after the server has run it."""

    def __init__(self, script: Script) -> None:
        self.script, self.lost = script, False

    def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        answer = self.script(client, keys, args)
        if not self.lost:
            self.lost = True
            raise exceptions.ConnectionError("the reply was lost")
        return answer

    async def acall(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        answer = await self.script.acall(client, keys, args)
        if not self.lost:
            self.lost = True
            raise exceptions.ConnectionError("the reply was lost")
        return answer


# ── replies that are lost ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_reply_to_acquire_leaves_it_owned_with_the_same_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACQUIRE", Losing(ACQUIRE))
    with Lock(A, B) as lock:
        assert all(holder(row).endswith(f":{fence}") for row, fence in lock.fences.items())
    assert free(A, B)


def test_a_lost_reply_to_release_releases_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RELEASE", Losing(RELEASE))
    lost = metrics.read().get("vault.account", {}).get("lost", 0)
    with Lock(A):
        pass
    assert free(A)
    assert metrics.read()["vault.account"]["lost"] == lost


def test_control_a_plain_set_nx_locks_itself_out() -> None:
    client = redis.client("locks")
    assert client.set("lk:{control}", "me", nx=True, px=10_000)  # its reply is lost, and it is sent again:
    assert not client.set("lk:{control}", "me", nx=True, px=10_000)


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


def test_control_a_counter_does_not() -> None:
    client = redis.client("locks")
    first = [client.incr("lk:{control}:f"), client.incr("lk:{control}:f")]
    client.delete("lk:{control}:f")
    assert client.incr("lk:{control}:f") < max(first)


def test_a_fence_grows_over_a_failover_that_lost_the_lock(topology: Topology) -> None:
    first = elsewhere(Lock(A).acquire)
    if isinstance(topology, Sentinels):
        topology.failover()
    wait_until(lambda: redis.client("locks").delete(*names.keys([A])) >= 0)  # as if the write had never reached it
    with Lock(A, timeout=5) as second:
        assert second.fences[A] > first.fences[A]
    first.release()
    assert first.lost


# ── several rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_are_ordered_by_their_type() -> None:
    assert Lock(("a.b", 10), ("a.b", 9), ("a.a", 11)).rows == [("a.a", 11), ("a.b", 9), ("a.b", 10)]


def test_nowait_takes_all_or_nothing() -> None:
    with Lock(B):
        with pytest.raises(LockNotAvailable):
            elsewhere(Lock(A, B, nowait=True).acquire)
        assert free(A)


def test_opposite_orders_do_not_deadlock(threads: Threads) -> None:
    longest: list[float] = []

    def move(*rows: Row) -> None:
        for _ in range(100):
            began = time.monotonic()
            with Lock(*rows):
                longest.append(time.monotonic() - began)

    for rows in ((A, B), (B, A), (A, A)):
        threads.start(lambda rows=rows: move(*rows))
    threads.join()
    assert len(longest) == 300
    assert max(longest) < 2


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


def test_first_come_first_served(threads: Threads) -> None:
    served: list[int] = []
    with Lock(A):
        for number in range(5):

            def wait(number: int = number) -> None:
                with Lock(A, timeout=10):
                    served.append(number)

            threads.start(wait)
            wait_until(lambda number=number: queue() == number + 1)
    threads.join()
    assert served == [0, 1, 2, 3, 4]
    assert queue() == 0


def test_a_waiter_is_woken_and_does_not_poll(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 60)
    _listen()
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
    assert took[0] - released < 1


def test_control_a_lost_message_costs_a_poll_and_no_more(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    _listen()
    monkeypatch.setattr(wake.ThreadRing, "ring", lambda *_: None)
    lock = Lock(A).acquire()

    def wait() -> None:
        with Lock(A, timeout=10):
            pass

    threads.start(wait)
    wait_until(lambda: queue() == 1)
    lock.release()
    threads.join()


def test_a_dead_holder_delays_no_longer_than_its_lease() -> None:
    elsewhere(Lock(A, lease=0.3).acquire)  # and never released
    began = time.monotonic()
    with Lock(A, timeout=5):
        assert 0.2 < time.monotonic() - began < 2


def test_a_dead_waiter_delays_no_longer_than_its_grant() -> None:
    keys = names.keys([A])
    lock = Lock(A).acquire()
    ACQUIRE(redis.client("locks"), keys, ["nobody/1/dead.1", 60_000, "wait", 60_000, 0])  # then its process died
    lock.release()
    began = time.monotonic()
    with Lock(A, timeout=5):
        assert time.monotonic() - began < module.GRANT + 1


def test_fair_never_overtakes_a_waiter() -> None:
    keys = names.keys([A])
    elsewhere(Lock(A, lease=0.05).acquire)
    ACQUIRE(redis.client("locks"), keys, ["other/1/alive.1", 10_000, "wait", 60_000, 0])
    wait_until(lambda: not holder())
    with pytest.raises(LockNotAvailable):
        Lock(A, nowait=True, fair=True).acquire()
    with Lock(A, nowait=True):  # the control: without `fair` a free row is taken
        pass


def test_a_time_out_leaves_no_waiter() -> None:
    with Lock(A):
        with pytest.raises(LockNotAvailable):
            elsewhere(Lock(A, timeout=0.1).acquire)
        assert queue() == 0
    assert free(A)


def _listen() -> None:
    wake.listener.start()
    assert wake.listener.hears.wait(5)


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_renewal_keeps_a_lock_past_its_lease_but_not_past_max_hold() -> None:
    with Lock(A, B, lease=0.3, auto_renew=True, max_hold=1.0) as lock:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 0.7)
        lock.check()
        assert holder(A)
        assert holder(B)
        wait_until(lambda: not holder(), 3)
        with pytest.raises(LockLost):
            lock.check()


@pytest.mark.parametrize("name", ["ACQUIRE", "EXTEND"])
def test_we_never_think_that_it_is_ours_longer_than_redis_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis counts from when it hears of us, not from when we hear its answer, and in whole milliseconds."""
    asked: list[float] = []
    script: Any = getattr(module, name)

    def late(*args: Any) -> Any:
        asked.append(time.monotonic())
        answer = script(*args)
        time.sleep(0.02)  # on its way
        return answer

    monkeypatch.setattr(module, name, late)
    with Lock(A, B, lease=5) as lock:
        if name == "EXTEND":
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
    _listen()
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


# ── tasks, forks, shared handles ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", range(6))
async def test_cancelled_anywhere_a_task_holds_nothing(step: int) -> None:
    """Cancel after so many turns of the loop: while it asks, while it holds, while it gives back."""

    async def work() -> None:
        async with Lock(A, B):
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    for _ in range(step):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert holder(A) == holder(B) == ""


async def test_cancelled_while_it_waits_a_task_leaves_the_queue() -> None:
    async with Lock(A):
        task = asyncio.create_task(Lock(A, timeout=10).aacquire())
        await asyncio.to_thread(wait_until, lambda: queue() == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert queue() == 0


async def test_tasks_hand_over_in_order() -> None:
    served: list[int] = []

    async def work(number: int) -> None:
        async with Lock(A, timeout=10):
            served.append(number)

    async with Lock(A):
        tasks = []
        for number in range(5):
            tasks.append(asyncio.create_task(work(number)))
            await asyncio.to_thread(wait_until, lambda number=number: queue() == number + 1)
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2, 3, 4]


async def test_a_task_started_inside_is_not_the_holder() -> None:
    async with Lock(A):
        async with Lock(A, nowait=True) as inner:  # this task is
            assert inner.nested
        with pytest.raises(LockNotAvailable):
            await asyncio.create_task(Lock(A, nowait=True).aacquire())
        with pytest.raises(LockNotAvailable):
            await asyncio.to_thread(Lock(A, nowait=True).acquire)


def test_a_forked_child_cannot_release_its_parents_lock() -> None:
    with Lock(A) as lock:
        mine = holder()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                lock.release()
                lock.check()
            except LockLost:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert holder() == mine


def test_a_handle_serves_one_acquisition_at_a_time() -> None:
    lock = Lock(A).acquire()
    with pytest.raises(RuntimeError):
        lock.acquire()
    lock.release()
    lock.release()
    with lock:
        assert holder()


def test_extending_takes_nothing_anew() -> None:
    assert EXTEND(redis.client("locks"), names.keys([A]), ["me/1/x.1", 1000, 0]) == [0]
    assert not holder()
