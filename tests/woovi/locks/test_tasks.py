"""Tasks that are cancelled, processes that fork, handles that are shared: nobody's row is given back by another."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
import redis.asyncio

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.locks.models import Account
from tests.woovi.locks.others import A, B, elsewhere, free, holder, in_line, queue
from woovi import redis as door
from woovi.locks import Lock, LockLost, LockNotAvailable, names
from woovi.redis import POLICIES
from woovi.redis.roles import Policy

# ── cancelled ────────────────────────────────────────────────────────────────────────────────────────────────────────


class CancelledAt:
    """Does `work`, whose task is cancelled at its await of that number, and again at each later one if `again`."""

    def __init__(self, work: Awaitable[Any], number: int, again: bool = False) -> None:
        self.work, self.number, self.again = work, number, again
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self.work.__await__()
        try:
            waited_for = steps.send(None)
            while True:
                self.awaits += 1
                if self.awaits == self.number or (self.again and self.awaits > self.number):
                    task = asyncio.current_task()
                    assert task
                    task.cancel()
                try:
                    answer = yield waited_for
                except BaseException as error:
                    waited_for = steps.throw(error)
                else:
                    waited_for = steps.send(answer)
        except StopIteration as end:
            return end.value


async def cancelled_at(number: int, work: Awaitable[Any], again: bool = False) -> int:
    """Do `work` in a task that is cancelled at that await. Returns how many awaits there were."""
    doing = CancelledAt(work, number, again)

    async def run() -> None:
        await doing

    (ended,) = await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError | LockNotAvailable | None), ended
    return doing.awaits


async def cancel_everywhere(
    work: Callable[[], Awaitable[Any]], look: Callable[[], Awaitable[None]], again: bool = False
) -> int:
    """Do `work` once for each of its awaits, cancelled there, and `look` after it. Returns how many there are."""
    number = 1
    while await cancelled_at(number, work(), again) >= number:
        await look()
        number += 1
    await look()
    return number - 1


@pytest.mark.parametrize("again", [False, True])
async def test_cancelled_at_any_await_a_task_holds_nothing(again: bool) -> None:
    async def work() -> None:
        async with Lock(A, B):
            await asyncio.sleep(0)

    async def look() -> None:
        assert holder(A) == holder(B) == ""

    assert await cancel_everywhere(work, look, again) >= 3  # one at least while it takes, holds and gives back


@pytest.mark.parametrize("again", [False, True])
async def test_cancelled_at_any_await_a_waiter_leaves_the_queue_and_the_holder_alone(again: bool) -> None:
    with Lock(B, lease=600):
        mine = holder(B)

        async def work() -> None:
            async with Lock(A, B, timeout=0.2):
                raise AssertionError

        async def look() -> None:
            assert holder(B) == mine
            assert holder(A) == ""
            assert queue(A) == queue(B) == 0

        assert await cancel_everywhere(work, look, again) >= 3


async def test_cancelled_at_any_await_a_row_has_been_written_or_not_and_is_free(
    account: Account, close_connections: None
) -> None:
    def write(rows: Any) -> None:
        rows[9].balance -= 10
        rows[9].save()

    async def whole() -> None:
        await Account.objects.arun_locked(write, pk=9)

    async def split() -> None:
        async with Account.objects.lock_rows(pk=9) as lock:
            await lock.awrite(write)

    seen = [100]

    async def look() -> None:
        seen.append((await Account.objects.aget(pk=9)).balance)
        assert seen[-1] in {seen[-2], seen[-2] - 10}
        assert free(A)

    for work in (whole, split):
        assert await cancel_everywhere(work, look) >= 2
    assert seen[-1] < 100


@on_valkey
async def test_control_a_plain_lock_cancelled_while_it_asks_stays_for_its_lease(topology: Topology) -> None:
    server = topology.server_of("lk:{control}")
    client = redis.asyncio.Redis(port=server.port)
    await client.ping()  # connected
    server.freeze()
    task = asyncio.create_task(client.lock("lk:{control}", timeout=30).acquire())
    for _ in range(100):  # turns of the loop: it has asked, and waits
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.thaw()
    with server.ask() as other:
        wait_until(lambda: other.exists("lk:{control}"))
        assert other.pttl("lk:{control}") > 20_000
    await client.aclose()


async def test_cancelled_while_it_waits_a_task_leaves_the_queue() -> None:
    async with Lock(A):
        task = asyncio.create_task(Lock(A, timeout=10).aacquire())
        await asyncio.to_thread(wait_until, lambda: queue() == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert queue() == 0


# ── tasks and processes ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_tasks_hand_over_in_order(topology: Topology) -> None:
    served: list[int] = []

    async def work(number: int) -> None:
        async with Lock(A, timeout=10):
            served.append(number)

    async with Lock(A):
        tasks = []
        for number in range(5):
            tasks.append(asyncio.create_task(work(number)))
            await asyncio.to_thread(wait_until, lambda number=number: in_line(topology) == number + 1)
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2, 3, 4]


@on_valkey
async def test_no_more_tasks_wait_at_redis_than_a_role_has_connections(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others ask now and then, and keep their place among those who wait."""
    monkeypatch.setitem(POLICIES, "locks", Policy(timeout=0.1, connections=3))
    served: list[int] = []

    async def work(number: int) -> None:
        async with Lock(A, timeout=20):
            served.append(number)

    async with Lock(A, lease=60):
        tasks = [asyncio.create_task(work(number)) for number in range(8)]
        await asyncio.to_thread(wait_until, lambda: queue() == 8)
        await asyncio.to_thread(wait_until, lambda: in_line(topology) == 3)
    await asyncio.gather(*tasks)
    assert sorted(served) == list(range(8))
    assert free(A)


async def test_a_task_started_inside_is_not_the_holder() -> None:
    async with Lock(A) as outer:
        async with Lock(A, nowait=True) as inner:  # this task is
            assert inner.holder is outer
        with pytest.raises(LockNotAvailable):
            await asyncio.create_task(Lock(A, nowait=True).aacquire())
        with pytest.raises(LockNotAvailable):
            await asyncio.to_thread(Lock(A, nowait=True).acquire)


@on_valkey
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


@on_valkey
def test_the_first_threads_of_a_forked_child_are_of_one_process() -> None:
    """Two names of one process: the locks of the first would be taken for its parent's, and never given back."""
    child = os.fork()
    if child == 0:
        owners, together = list[str](), threading.Barrier(50)

        def take() -> None:
            together.wait(10)
            owners.append(names.new_owner())

        threads = [threading.Thread(target=take) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        os._exit(len(owners) != 50 or not all(owner.startswith(names.process()) for owner in owners))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# ── shared handles ───────────────────────────────────────────────────────────────────────────────────────────────────


@on_valkey
def test_a_handle_serves_one_acquisition_at_a_time() -> None:
    lock = Lock(A).acquire()
    with pytest.raises(RuntimeError):
        lock.acquire()
    lock.release()
    lock.release()
    with lock:
        assert holder()


@on_valkey
async def test_two_tasks_cannot_share_a_handle() -> None:
    """Even when its lease ended: the first one's release would give back what the second took."""
    lock = Lock(A, lease=0.05)
    async with lock:
        await asyncio.to_thread(wait_until, lambda: not holder())
        with pytest.raises(RuntimeError):
            await asyncio.create_task(lock.aacquire())
        other = await asyncio.create_task(Lock(A).aacquire())
        mine = holder()
    assert holder() == mine
    await other.arelease()


@on_valkey
async def test_control_a_shared_handle_of_redis_py_gives_back_the_others_lock(topology: Topology) -> None:
    client = redis.asyncio.Redis(port=topology.server_of("lk:{control}").port)
    shared = client.lock("lk:{control}", timeout=0.05, thread_local=False)
    await shared.acquire()
    while await client.exists("lk:{control}"):
        await asyncio.sleep(0.01)
    shared.timeout = 30
    await asyncio.create_task(shared.acquire())
    await shared.release()  # the first one's
    assert not await client.exists("lk:{control}")
    await client.aclose()


def test_no_key_outlives_its_lease() -> None:
    elsewhere(Lock(A, lease=5).acquire)
    elsewhere(Lock(B, lease=5, max_hold=60).acquire)
    client = door.client("locks")
    assert 0 < client.pttl(names.key(A)) <= 5000
    assert 0 < client.pttl(names.key(B)) <= 5000
