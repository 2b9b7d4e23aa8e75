"""Subscribers see every event of their tenant once and in order, whatever becomes of Redis."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc

import pytest
from asgiref.sync import sync_to_async

from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Sentinels, Standalone, Topology
from tests.woovi.pubsub.conftest import TENANT, apublish, arelay, awrite, hears, nothing, settled, take, until
from woovi.outbox import claims
from woovi.outbox.models import OutboxEvent
from woovi.pubsub import Hub, Pace, Reset, hubs, metrics, revoke, stream, wake
from woovi.redis import aclient

# redis-py drops a Cluster's nodes unclosed where it cannot reach them.
OUTAGE = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


async def test_a_subscriber_sees_what_comes_from_now_on(hub: Hub) -> None:
    await apublish(3)
    async with hub.subscribe(TENANT) as one, hub.subscribe(TENANT) as two:
        await hears(hub)
        await apublish(2)
        await apublish(1)
        assert await take(one, 3) == await take(two, 3) == [4, 5, 6]


@on_valkey
async def test_another_tenants_events_never_come(hub: Hub) -> None:
    async with hub.subscribe("1") as one, hub.subscribe("2") as two:
        await hears(hub)
        await apublish(2, "2")
        assert await take(two, 2) == [1, 2]
        await nothing(one)


async def test_resumes_after_a_number_and_misses_nothing(hub: Hub) -> None:
    await apublish(400)
    async with hub.subscribe(TENANT, after=390) as near, hub.subscribe(TENANT, after=0) as far:
        assert await take(near, 10) == list(range(391, 401))
        assert await take(far, 400) == list(range(1, 401))


async def test_what_is_older_than_the_stream_comes_from_postgresql_by_the_same_numbers(hub: Hub) -> None:
    await apublish(300)
    await aclient("channels").xtrim(stream.keys(TENANT)[0], maxlen=20, approximate=False)
    before = metrics().get("read from postgresql", 0)
    async with hub.subscribe(TENANT, after=0) as subscription:
        assert await take(subscription, 300) == list(range(1, 301))
    assert metrics()["read from postgresql"] > before


@on_valkey
@pytest.mark.parametrize("after", [0, 5])
async def test_nothing_falls_between_the_cursor_and_the_subscription(hub: Hub, after: int) -> None:
    """Events that are published while somebody subscribes."""
    await apublish(5)
    publishing = asyncio.create_task(apublish(50))
    async with hub.subscribe(TENANT, after) as subscription:
        assert await take(subscription, 55 - after) == list(range(after + 1, 56))
    await publishing


@on_valkey
async def test_a_lost_wake_up_is_found_by_the_next_look(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK", 0.1)
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        monkeypatch.setattr(hub.listener, "heard", lambda message: None)
        await apublish(3)
        assert await take(subscription, 3) == [1, 2, 3]


@on_valkey
async def test_without_the_look_a_lost_wake_up_is_a_lost_event(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK", 3600.0)
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        monkeypatch.setattr(hub.listener, "heard", lambda message: None)
        await apublish(3)
        await nothing(subscription)


async def test_redis_emptied_changes_nothing(hub: Hub) -> None:
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(3)
        assert await take(subscription, 3) == [1, 2, 3]
        await aclient("channels").delete(*stream.keys(TENANT))
        await apublish(2)
        assert await take(subscription, 2) == [4, 5]
        async with hub.subscribe(TENANT, after=0) as late:
            assert await take(late, 5) == [1, 2, 3, 4, 5]


async def test_emptied_between_the_append_and_the_reading_nothing_is_lost(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = hub.listener.heard
    messages: list[str] = []
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        monkeypatch.setattr(hub.listener, "heard", messages.append)
        await apublish(3)
        await until(lambda: messages)
        await aclient("channels").delete(*stream.keys(TENANT))
        heard(messages[0])
        assert await take(subscription, 3) == [1, 2, 3]


@OUTAGE
async def test_redis_frozen_events_go_on_and_nothing_is_lost(
    hub: Hub, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOK_DEAF", 0.2)
    monkeypatch.setattr(hubs, "LOOK", 0.5)
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(2)
        assert await take(subscription, 2) == [1, 2]
        for server in topology.servers:
            server.freeze()
        await apublish(2)
        assert await take(subscription, 2) == [3, 4]
        for server in topology.servers:
            server.thaw()
        seen: list[int] = []
        while not seen or seen[-1] < 6:
            await apublish(2)
            seen += await take(subscription, 2)
        assert seen == list(range(5, 5 + len(seen)))


@OUTAGE
async def test_redis_killed_and_started_empty_nothing_is_lost(
    hub: Hub, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LOOK_DEAF", 0.2)
    monkeypatch.setattr(hubs, "LOOK", 0.5)
    if isinstance(topology, Sentinels):
        await fail_over(hub, topology)
        return
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(2)
        for server in topology.servers:
            server.kill()
        await apublish(2)
        assert await take(subscription, 4) == [1, 2, 3, 4]
        await asyncio.to_thread(topology.heal)
        await apublish(2)
        assert await take(subscription, 2) == [5, 6]
        await hears(hub)


async def fail_over(hub: Hub, topology: Sentinels) -> None:
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(2)
        failing = asyncio.create_task(asyncio.to_thread(topology.failover))
        count = 2
        while not failing.done():
            await apublish(1)
            count += 1
        await failing
        await apublish(1)
        assert await take(subscription, count + 1) == list(range(1, count + 2))
        await hears(hub)


@OUTAGE
async def test_who_listens_to_a_frozen_redis_is_told_the_pace_and_sees_what_comes(hub: Hub, topology: Topology) -> None:
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        servers = getattr(
            topology, "data", topology.servers
        )  # Sentinels that were frozen trust no clock for half a minute
        for server in servers:
            server.freeze()
        with pytest.raises(Pace) as told:
            async with asyncio.timeout(20):
                await subscription.next()
        assert not told.value.live
        await awrite(1)
        await sync_to_async(claims.claim)(10, 20.0)  # it is numbered, and Redis never hears of it
        async with asyncio.timeout(20):
            assert [entry.seq for entry in await subscription.next()] == [1]
        for server in servers:
            server.thaw()
        with pytest.raises(Pace) as told:
            async with asyncio.timeout(20):
                await subscription.next()
        assert told.value.live


@OUTAGE
@pytest.mark.parametrize("topology", ["sentinel"], indirect=True)
async def test_after_a_failover_from_a_frozen_primary_it_hears_again(hub: Hub, topology: Sentinels) -> None:
    async with hub.subscribe(TENANT):
        await hears(hub)
        frozen = topology.primary()
        frozen.freeze()
        await until(lambda: not hub.listener.hears)
        await until(lambda: topology.primary() is not frozen and topology.role(topology.primary()) == "master")
        await hears(hub)  # without pings it never does, as the next test shows


@OUTAGE
@on_valkey
@pytest.mark.parametrize("pings", [True, False])
async def test_a_link_on_which_nothing_comes_any_more_is_left_for_another(
    proxied: Standalone, hub: Hub, monkeypatch: pytest.MonkeyPatch, pings: bool
) -> None:
    """It stays open, and nobody says that it is dead. A control: who does not ask whether it lives hears nothing again."""
    monkeypatch.setattr(wake, "SILENCE", 0.3 if pings else 3600.0)
    monkeypatch.setattr(hubs, "LOOK", 3600.0)
    proxy = proxied.servers[0].proxy
    assert proxy
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(1)
        assert await take(subscription, 1) == [1]
        proxy.silence()
        if pings:
            await until(lambda: not hub.listener.hears)
            await hears(hub)
        await apublish(1)  # the relay's own link is dead, too, and this it tells nobody
        await apublish(1)
        if pings:
            assert await take(subscription, 2) == [2, 3]
        else:
            await nothing(subscription)


async def test_a_full_redis_wakes_all_the_same(hub: Hub, topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK", 3600.0)  # so that nothing but the wake-up tells
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        with contextlib.ExitStack() as direct:
            for server in topology.primaries():
                door = direct.enter_context(server.ask())
                door.config_set("maxmemory", 1)
                direct.callback(door.config_set, "maxmemory", 0)
            await apublish(1)
            assert await take(subscription, 1) == [1]
        await apublish(1)
        assert await take(subscription, 1) == [2]


@on_valkey
async def test_a_cursor_above_the_head_is_told(hub: Hub) -> None:
    await apublish(2)
    async with hub.subscribe(TENANT, after=3) as subscription:
        with pytest.raises(Reset) as told:
            await subscription.next()
    assert told.value.head == 2


@on_valkey
async def test_after_postgresql_was_restored_subscribers_are_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(8)
        assert await take(subscription, 8) == list(range(1, 9))
        await OutboxEvent.objects.filter(seq__gt=3).adelete()
        monkeypatch.setattr(hubs, "LOOK", 0.1)
        hub._look_now.set()
        with pytest.raises(Reset) as told:
            await take(subscription, 1)
        assert told.value.head == 3


@on_valkey
async def test_a_new_epoch_has_the_head_compared_before_anything_is_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL went back to 3 and counts again past what was seen, all between two looks."""
    monkeypatch.setattr(hubs, "LOOK", 3600.0)
    async with hub.subscribe(TENANT) as subscription:
        await hears(hub)
        await apublish(6)
        await take(subscription, 6)
        await OutboxEvent.objects.filter(seq__gt=3).adelete()
        await apublish(1)
        await nothing(subscription)
        hub._heard(f"{TENANT}=7")
        with pytest.raises(Reset) as told:
            await take(subscription, 1)
        assert told.value.head == 4


@on_valkey
async def test_a_subscriber_who_does_not_read_costs_nothing_and_misses_nothing(hub: Hub) -> None:
    async with hub.subscribe(TENANT) as slow, hub.subscribe(TENANT) as quick:
        await hears(hub)
        await apublish(300)
        await take(quick, 300)
        tracemalloc.start(10)
        for _ in range(4):
            await apublish(300)
            await take(quick, 300)
        room = tracemalloc.Filter(True, "*/woovi/pubsub/*", all_frames=True)
        kept = tracemalloc.take_snapshot().filter_traces([room])
        tracemalloc.stop()
        grown = sum(each.size for each in kept.statistics("filename"))
        assert grown < 1_500_000
        assert await take(slow, 1500) == list(range(1, 1501))


@on_valkey
async def test_a_flood_of_another_tenant_delays_nobody_for_long(hub: Hub) -> None:
    async with hub.subscribe("1") as one, hub.subscribe("2") as two:
        await hears(hub)
        await awrite(2000, "2")
        await awrite(1, "1")
        flood = asyncio.create_task(take(two, 2000))
        relaying = asyncio.create_task(arelay())
        assert await take(one, 1) == [1]
        assert await flood == list(range(1, 2001))
        await relaying


async def test_a_revocation_is_heard_by_who_watches_the_subject(hub: Hub) -> None:
    with hub.watch("user 1", "company 1") as one, hub.watch("user 2", "company 1") as two:
        await hears(hub)
        one.clear()
        two.clear()
        await asyncio.to_thread(revoke, "user 1")
        async with asyncio.timeout(20):
            await one.wait()
        assert not two.is_set()
        await asyncio.to_thread(revoke, "company 1")
        async with asyncio.timeout(20):
            await two.wait()


@on_valkey
async def test_it_listens_only_while_somebody_does(hub: Hub) -> None:
    async with hub.subscribe(TENANT):
        await hears(hub)
        assert hub._tasks
    assert not hub._tasks
    await settled()
    assert not hub.listener.hears
    assert not hub.feeds
