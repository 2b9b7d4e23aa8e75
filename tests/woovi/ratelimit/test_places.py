"""So many at once, and so many different things."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.processes import wait_until
from tests.topologies.topologies import Topology
from woovi import redis
from woovi.ratelimit import LoadShedder, Policy, RateLimited, Subject, adistinct, aplace, distinct, place

WHO = Subject("company", "7")
THREE = Policy("exports", "company", 3, 30)


def test_three_places_are_three(topology: Topology) -> None:
    with contextlib.ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(place(THREE, WHO))
        with pytest.raises(RateLimited), place(THREE, WHO):
            raise AssertionError("let in")
    with place(THREE, WHO):
        pass


def test_the_place_of_one_who_died_is_free_after_its_lease(topology: Topology) -> None:
    """Killed, it gives nothing back: only the lease does. Entered by hand here, and never left."""
    short = Policy("exports", "company", 1, 1)
    entered = place(short, WHO)
    entered.__enter__()

    def free() -> bool:
        try:
            with place(short, WHO):
                return True
        except RateLimited:
            return False

    assert not free()
    wait_until(free)
    del entered  # until here it was inside


def test_a_cancelled_task_gives_its_place_back(topology: Topology) -> None:
    async def run() -> None:
        one = Policy("exports", "company", 1, 30)
        inside = asyncio.Event()

        async def long() -> None:
            async with aplace(one, WHO):
                inside.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(long())
        await inside.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with aplace(one, WHO):
            pass

    asyncio.run(run())


def test_places_without_redis(topology: Topology) -> None:
    for server in topology.servers:
        server.kill()
    redis.close()
    with place(THREE, WHO):
        pass
    closed = Policy("exports", "company", 3, 30, without_redis="closed")
    with pytest.raises(RateLimited) as error, place(closed, WHO):
        raise AssertionError("let in")
    assert error.value.decision.closed


def test_the_last_part_is_kept_for_what_is_critical() -> None:
    load = LoadShedder(10, reserve=0.2)
    assert [load.enter(critical=False) for _ in range(10)].count(True) == 8
    assert [load.enter(critical=True) for _ in range(4)].count(True) == 2
    load.leave()
    assert not load.enter(critical=False)
    assert load.enter(critical=True)


def test_without_a_reserve_the_critical_finds_no_room() -> None:
    """The negative control."""
    load = LoadShedder(10, reserve=0)
    assert [load.enter(critical=False) for _ in range(12)].count(True) == 10
    assert not load.enter(critical=True)


def test_different_things_are_counted_and_the_same_is_not(topology: Topology) -> None:
    few = Policy("links", "address", 20, 3600)
    assert all(distinct(few, WHO, "the same").allowed for _ in range(50))
    seen = [distinct(few, WHO, f"link {number}").allowed for number in range(60)]
    assert 17 <= seen.count(True) <= 21
    refused = asyncio.run(_one(few))
    assert not refused.allowed
    assert 3590 < refused.retry_after <= 3600
    assert distinct(few, Subject("company", "8"), "another's").allowed


async def _one(policy: Policy) -> object:
    return await adistinct(policy, WHO, "one more")
