"""Places: so many connections a subject has at all processes together."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from woovi.pubsub import NoPlace, leases, places
from woovi.redis import POLICIES, aclient


async def test_who_comes_when_all_are_taken_is_refused_until_one_leaves() -> None:
    limits = {"user 1": 2, "company 1": 10}
    async with places("a", limits), places("b", limits):
        with pytest.raises(NoPlace, match="user 1"):
            async with places("c", limits):
                pass
        async with places("d", {"user 2": 2, "company 1": 10}):
            pass
    async with places("c", limits), places("d", limits):
        pass


@on_valkey
async def test_a_refused_connection_takes_no_place_anywhere() -> None:
    async with places("a", {"company 1": 1}):
        with pytest.raises(NoPlace, match="company 1"):
            async with places("b", {"user 1": 1, "company 1": 1}):
                pass
        async with places("c", {"user 1": 1}):
            pass


async def test_a_dead_process_gives_its_places_back_and_a_living_one_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "LEASE", 0.6)
    await leases.Places("dead", {"user 1": 2}).renew()  # and nobody renews it again
    async with places("living", {"user 1": 2}) as living:
        with pytest.raises(NoPlace):
            async with places("next", {"user 1": 2}):
                pass
        async with asyncio.timeout(20):
            while True:
                await living.renew()
                with contextlib.suppress(NoPlace):
                    async with places("next", {"user 1": 2}):
                        assert await aclient("channels").zscore(leases.key("user 1"), "living") is not None
                        with pytest.raises(NoPlace):
                            async with places("third", {"user 1": 2}):
                                pass
                        break
                await asyncio.sleep(0.02)


async def test_without_redis_everybody_is_let_in(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "channels", replace(POLICIES["channels"], timeout=0.2))
    for server in topology.servers:
        server.freeze()
    async with places("a", {"user 1": 1}), places("b", {"user 1": 1}):
        pass


@on_valkey
async def test_thousands_that_leave_at_once_all_give_their_places_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who comes back is refused. With a link to Redis for each, most would wait for it in vain."""
    monkeypatch.setitem(POLICIES, "channels", replace(POLICIES["channels"], timeout=1.0, connections=1))
    names = [str(n) for n in range(10_000)]
    await aclient("channels").zadd(leases.key("company 1"), dict.fromkeys(names, 2e12))
    await asyncio.gather(*(leases.Places(name, {"company 1": 20_000})._leave() for name in names))
    assert await aclient("channels").zcard(leases.key("company 1")) == 0
