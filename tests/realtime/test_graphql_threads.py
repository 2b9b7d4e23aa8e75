"""The threads of GraphQL's sockets: a company has its share of them, and what a client gives up keeps its place."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.graphql.threads import Threads

LONG = 60.0  # seconds; nothing here takes them
COUNT = 4


class Stuck:
    """What never ends before it is told to."""

    def __init__(self) -> None:
        self.begun, self.gate = threading.Semaphore(0), threading.Event()

    def __call__(self) -> bool:
        self.begun.release()
        return self.gate.wait(LONG)

    async def wait(self, count: int) -> None:
        """Until `count` threads are in it."""
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, timeout=LONG)


@pytest.mark.parametrize("share", [COUNT // 2, COUNT])
def test_one_company_leaves_threads_to_the_others(share: int) -> None:
    """Ten connections of one company are stuck. Where its share is all of the threads, another company waits for them."""

    async def run() -> None:
        threads, stuck = Threads("test", COUNT, share), Stuck()
        busy = [asyncio.create_task(threads.run("1", asyncio.Semaphore(), stuck)) for _ in range(10)]
        await stuck.wait(share)
        other = asyncio.create_task(threads.run("2", asyncio.Semaphore(), str, 42))
        if share < COUNT:
            assert await asyncio.wait_for(other, LONG) == "42"
        else:
            await asyncio.wait([other], timeout=0.2)
            assert not other.done()
        stuck.gate.set()
        assert await asyncio.gather(*busy) == [True] * 10
        assert await other == "42"

    asyncio.run(run())


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_client_gives_up_keeps_its_turn_until_its_thread_ends(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the shield a cancelled operation frees its turn, and its client takes another thread."""
    if not kept:
        monkeypatch.setattr(asyncio, "shield", lambda work: work)

    async def run() -> None:
        threads, stuck, turn = Threads("test", COUNT), Stuck(), asyncio.Semaphore()
        given_up = asyncio.create_task(threads.run("1", turn, stuck))
        await stuck.wait(1)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        following = asyncio.create_task(threads.run("1", turn, stuck))
        waiting = asyncio.create_task(threads.run("1", turn, stuck))
        if kept:
            waiting.cancel()  # who only waits gives up at once, and takes nobody's place
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            await asyncio.wait([following], timeout=0.2)
            assert not stuck.begun.acquire(blocking=False)
        else:
            await stuck.wait(1)
        stuck.gate.set()
        assert await following
        assert await asyncio.gather(waiting, return_exceptions=True)
        assert not turn.locked()

    asyncio.run(run())
