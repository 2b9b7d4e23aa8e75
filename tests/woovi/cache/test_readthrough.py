"""One entry: hits, misses, staleness, failures, invalidation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from woovi import redis
from woovi.cache import Loaded, LoadFailed, ReadThroughCache, names

pytestmark = pytest.mark.usefixtures("everywhere")


class Missing(Exception):
    pass


class Source:
    """A slow source that counts its calls. Set `value`; an exception is raised."""

    def __init__(self, value: Any = "v1") -> None:
        self.value = value
        self.calls: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, **parts: Any) -> Any:
        self.calls.append(parts)
        value = self.value
        assert self.gate.wait(20)
        if isinstance(value, Exception):
            raise value
        return value


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.gate.set()


def cache(source: Any, **options: Any) -> ReadThroughCache:
    return ReadThroughCache(f"test-{uuid4().hex[:8]}", source, key=("tenant", "id"), **{"ttl": 60, **options})


def entry(made: ReadThroughCache, **parts: Any) -> str:
    return made._entry(parts).keys[0]


def age(made: ReadThroughCache, seconds: float, **parts: Any) -> None:
    """Let time pass for an entry: what it says of moments lies so much further back."""
    client: Any = redis.client("cache")
    key = entry(made, **parts)
    for field in ("s", "w", "m"):
        if value := client.hget(key, field):
            client.hset(key, field, int(int(value) - seconds * 1000))
    left = client.pttl(key) - int(seconds * 1000)
    client.pexpire(key, max(left, 0))


def test_a_value_is_loaded_once_and_then_answered_in_one_round_trip(source: Source) -> None:
    made = cache(source)
    assert [made.get(tenant=1, id="a") for _ in range(3)] == ["v1"] * 3
    assert source.calls == [{"tenant": 1, "id": "a"}]
    made.get(tenant=1, id="a")
    before = calls()
    made.get(tenant=1, id="a")
    assert calls() - before == 1
    assert (made.counts.hit, made.counts.miss) == (4, 1)


def calls() -> int:
    return sum(each["calls"] for each in redis.metrics()["cache"].values())


async def test_tasks_and_threads_share_an_entry(source: Source) -> None:
    made = cache(source)
    assert await made.aget(tenant=1, id="a") == "v1"
    assert await asyncio.to_thread(made.get, tenant=1, id="a") == "v1"
    await made.ainvalidate(tenant=1, id="a")
    assert await made.aget(tenant=1, id="a") == "v1"
    assert len(source.calls) == 2


@on_valkey
async def test_a_coroutine_may_load_for_a_thread_and_a_function_for_a_task() -> None:
    async def load(tenant: int, id: str) -> str:  # noqa: A002
        await asyncio.sleep(0)
        return id

    made = cache(load)
    assert await asyncio.to_thread(made.get, tenant=1, id="a") == "a"
    assert await made.aget(tenant=1, id="b") == "b"


def test_values_come_back_as_they_were(source: Source) -> None:
    source.value = {
        "text": "é" * 3000, "none": None, "bytes": b"\0", "list": [1, 2.5, True], "money": Decimal("0.10"),
        "at": datetime(2026, 1, 2, 3, tzinfo=UTC), "day": date(2026, 1, 2), "id": UUID(int=7), 5: "a number as key",
    }  # fmt: skip
    made = cache(source)
    first = made.get(tenant=1, id="a")
    assert made.get(tenant=1, id="a") == first == source.value
    assert len(source.calls) == 1
    client: Any = redis.client("cache")
    assert len(client.hget(entry(made, tenant=1, id="a"), "v")) < 1024  # 6 KB deflated


@on_valkey
def test_none_is_a_value(source: Source) -> None:
    source.value = None
    made = cache(source)
    assert made.get(tenant=1, id="a") is None
    assert made.get(tenant=1, id="a") is None
    assert len(source.calls) == 1


@on_valkey
def test_what_cannot_be_kept_is_refused_by_name(source: Source) -> None:
    source.value = object()
    with pytest.raises(LoadFailed, match="a cache keeps no object"):
        cache(source).get(tenant=1, id="a")
    source.value = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(LoadFailed, match="naive"):
        cache(source).get(tenant=1, id="a")


@on_valkey
def test_keys_are_asked_for_by_name(source: Source) -> None:
    made = cache(source)
    with pytest.raises(TypeError, match="is asked for by tenant, id"):
        made.get(tenant=1)
    with pytest.raises(TypeError, match="float"):
        made.get(tenant=1, id=1.5)
    with pytest.raises(ValueError, match="a second at most"):
        cache(source, local_ttl=2)


# ── staleness ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stale_value_is_served_while_one_refreshes(source: Source) -> None:
    made = cache(source, stale_while_revalidate=60, early_refresh=0)
    made.get(tenant=1, id="a")
    age(made, 61, tenant=1, id="a")
    source.value = "v2"
    source.gate.clear()
    assert [made.get(tenant=1, id="a") for _ in range(20)] == ["v1"] * 20  # the source hangs, and nobody with it
    wait_until(lambda: len(source.calls) == 2)
    source.gate.set()
    wait_until(lambda: made.get(tenant=1, id="a") == "v2")
    assert len(source.calls) == 2


@on_valkey
def test_past_its_staleness_it_is_loaded_in_the_foreground(source: Source) -> None:
    made = cache(source, stale_while_revalidate=10, stale_if_error=600, early_refresh=0)
    made.get(tenant=1, id="a")
    age(made, 71, tenant=1, id="a")
    source.value = "v2"
    assert made.get(tenant=1, id="a") == "v2"


def test_a_value_is_refreshed_early_by_xfetch(source: Source) -> None:
    made = cache(source, stale_while_revalidate=60, early_refresh=1e9)  # so early that it is at once
    made.get(tenant=1, id="a")
    client: Any = redis.client("cache")
    client.hset(entry(made, tenant=1, id="a"), "d", 200)  # a load of 200 ms
    source.value = "v2"
    assert made.get(tenant=1, id="a") == "v1"
    wait_until(lambda: made.get(tenant=1, id="a") in ("v2",))


def test_age_counts_from_before_the_load(source: Source) -> None:
    made = cache(source, ttl=60, jitter=0)
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(made.get, tenant=1, id="a")
        wait_until(lambda: source.calls)
        client: Any = redis.client("cache")
        began = int(client.hget(entry(made, tenant=1, id="a"), "a"))
        wait_until(lambda: server_ms() > began + 100)
        source.gate.set()
        asked.result(20)
    assert int(client.hget(entry(made, tenant=1, id="a"), "s")) == began + 60_000
    assert int(client.hget(entry(made, tenant=1, id="a"), "d")) >= 100


def server_ms() -> int:
    client: Any = redis.client("cache")
    seconds, micro = client.time()
    return int(seconds * 1000 + micro // 1000)


@on_valkey
def test_jitter_spreads_the_ends(source: Source) -> None:
    made = cache(source, jitter=0.5)
    client: Any = redis.client("cache")
    for n in range(20):
        made.get(tenant=1, id=n)
    lives = [client.pttl(entry(made, tenant=1, id=n)) for n in range(20)]
    assert 29_000 < min(lives) < max(lives) <= 60_000
    assert max(lives) - min(lives) > 3_000


def test_a_loader_may_say_for_how_long(source: Source) -> None:
    made = cache(source)
    source.value = Loaded("v", ttl=5, stale=5)
    assert made.get(tenant=1, id="a") == "v"
    assert made.get(tenant=1, id="a") == "v"
    client: Any = redis.client("cache")
    assert 5_000 < client.pttl(entry(made, tenant=1, id="a")) <= 10_000
    source.value = Loaded("w", ttl=0)
    assert [made.get(tenant=1, id="b") for _ in range(3)] == ["w"] * 3
    assert len(source.calls) == 1 + 3


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@on_valkey
def test_a_failed_load_leaves_the_old_value_in_its_window(source: Source) -> None:
    made = cache(source, stale_if_error=600, early_refresh=0)
    made.get(tenant=1, id="a")
    age(made, 61, tenant=1, id="a")
    source.value = RuntimeError("bank down")
    assert [made.get(tenant=1, id="a") for _ in range(10)] == ["v1"] * 10
    assert len(source.calls) == 2  # it backs off
    age(made, 601, tenant=1, id="a")
    with pytest.raises(LoadFailed, match="RuntimeError: bank down"):
        made.get(tenant=1, id="a")
    source.value = "v2"
    age(made, 1.1, tenant=1, id="a")
    assert made.get(tenant=1, id="a") == "v2"


def test_a_failing_source_is_not_asked_again_for_a_moment(source: Source) -> None:
    made = cache(source, failure_pause=60)
    source.value = RuntimeError("no")
    for _ in range(20):
        with pytest.raises(LoadFailed, match="RuntimeError: no"):
            made.get(tenant=1, id="a")
    assert len(source.calls) == 1


@on_valkey
def test_there_is_none_is_remembered_by_its_class(source: Source) -> None:
    made = cache(source, negative_ttl={Missing: 300}, failure_pause=0)
    source.value = Missing("key", 404)
    for _ in range(3):
        with pytest.raises(Missing) as raised:
            made.get(tenant=1, id="a")
        assert raised.value.args == ("key", 404)
    assert len(source.calls) == 1
    assert (made.counts.negative, made.counts.error) == (2, 0)
    source.value = TimeoutError()  # never remembered as "there is none"
    for _ in range(2):
        with pytest.raises(LoadFailed):
            made.get(tenant=1, id="b")
    assert len(source.calls) == 3


def test_a_refusal_may_be_told_and_not_remembered(source: Source) -> None:
    made = cache(source, negative_ttl={Missing: 0}, failure_pause=60)
    source.value = Missing("no tokens left")
    for times in (1, 2):
        with pytest.raises(Missing, match="no tokens left"):
            made.get(tenant=1, id="a")
        assert len(source.calls) == times
    source.value = "v2"
    assert made.get(tenant=1, id="a") == "v2"  # no pause, as after a failure


def test_a_refusal_that_says_nothing_of_the_value_leaves_it_for_a_failure(source: Source) -> None:
    made = cache(source, ttl=0.05, negative_ttl={Missing: None}, stale_if_error=60, failure_pause=0)
    control = cache(source, ttl=0.05, negative_ttl={Missing: 0}, stale_if_error=60, failure_pause=0)
    for each in (made, control):
        source.value = "v1"
        assert each.get(tenant=1, id="a") == "v1"
        age(each, 1, tenant=1, id="a")
        source.value = Missing("no tokens left")
        with pytest.raises(Missing):
            each.get(tenant=1, id="a")
        source.value = RuntimeError("the bank is down")
    assert made.get(tenant=1, id="a") == "v1"
    with pytest.raises(LoadFailed):
        control.get(tenant=1, id="a")


async def test_a_task_that_is_stopped_leaves_the_load_to_others() -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    calls = []

    async def load(tenant: int, id: str) -> str:  # noqa: A002
        calls.append(id)
        entered.set()
        await release.wait()
        return "v"

    made = cache(load, lease=60)
    first = asyncio.create_task(made.aget(tenant=1, id="a"))
    await entered.wait()
    second = asyncio.create_task(made.aget(tenant=1, id="a"))
    while not made.counts.wait:
        await asyncio.sleep(0.01)
    first.cancel()
    release.set()
    assert await asyncio.wait_for(second, 20) == "v"  # long before the lease ends
    assert calls == ["a", "a"]


# ── invalidation ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_load_that_began_before_an_invalidation_is_not_kept(source: Source) -> None:
    made = cache(source)
    source.value = "old"
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(made.get, tenant=1, id="a")
        wait_until(lambda: source.calls)
        source.value = "new"
        made.invalidate(tenant=1, id="a")
        source.gate.set()
        assert asked.result(20) == "old"  # who asked before may see what was before
    assert made.get(tenant=1, id="a") == "new"
    assert made.counts.refused == 1


@on_valkey
def test_the_same_without_the_lease_is_caught() -> None:
    """The control: a cache-aside that deletes and sets keeps the old value."""
    client: Any = redis.client("cache")
    loaded = "old"  # read by a slow load
    client.delete("naive")  # the invalidation
    client.set("naive", loaded)
    assert client.get("naive") == b"old"


@pytest.mark.parametrize("act", ["tag", "tenant"])
def test_a_tag_drops_what_has_it_and_nothing_else(source: Source, act: str) -> None:
    made = ReadThroughCache(f"t-{uuid4().hex[:8]}", source, key=("tenant", "bank", "id"), tags=("bank",), ttl=60)
    asked = [(1, "341", "a"), (1, "341", "b"), (1, "001", "a"), (2, "341", "a")]

    def get() -> list[Any]:
        return [made.get(tenant=t, bank=b, id=i) for t, b, i in asked]

    get()
    source.value = "v2"
    if act == "tag":
        made.invalidate_tag(tenant=1, bank="341")
        assert get() == ["v2", "v2", "v1", "v1"]
    else:
        made.invalidate_tenant(1)
        assert get() == ["v2", "v2", "v2", "v1"]
    with pytest.raises(TypeError, match="has the tags bank"):
        made.invalidate_tag(tenant=1, id="a")


def test_a_tag_is_raised_under_a_load(source: Source) -> None:
    made = cache(source, tags=("id",))
    source.value = "old"
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(made.get, tenant=1, id="a")
        wait_until(lambda: source.calls)
        source.value = "new"
        made.invalidate_tag(tenant=1, id="a")
        source.gate.set()
        asked.result(20)
    assert made.get(tenant=1, id="a") == "new"


def test_tags_whose_numbers_were_evicted_bring_nothing_back(source: Source) -> None:
    made = cache(source, tags=("id",))
    made.get(tenant=1, id="a")
    made.invalidate_tag(tenant=1, id="a")
    redis.client("cache").delete(names.slot(made.name, 1) + "g")
    source.value = "v2"
    assert made.get(tenant=1, id="a") == "v2"


@on_valkey
def test_another_schema_is_a_miss(source: Source) -> None:
    made = cache(source)
    made.get(tenant=1, id="a")
    source.value = {"shape": 2}
    made.schema = 2
    assert made.get(tenant=1, id="a") == {"shape": 2}
    made.invalidate(tenant=1, id="a")  # reaches whichever is there
    assert not redis.client("cache").exists(entry(made, tenant=1, id="a"))


def test_a_fingerprint_drops_this_value_and_no_newer_one(source: Source) -> None:
    made = cache(source)
    source.value = Loaded("t1", ttl=60, fingerprint="f1")
    made.get(tenant=1, id="a")
    assert not made.drop_if("f0", tenant=1, id="a")
    assert made.get(tenant=1, id="a") == "t1"
    source.value = Loaded("t2", ttl=60, fingerprint="f2")
    assert made.drop_if("f1", tenant=1, id="a")
    assert made.get(tenant=1, id="a") == "t2"
    assert not made.drop_if("f1", tenant=1, id="a")
    assert made.get(tenant=1, id="a") == "t2"


def test_a_pace_bounds_how_often_it_is_loaded(source: Source) -> None:
    made = cache(source, pace=0.3)
    source.value = Loaded("t", ttl=60, fingerprint="f")
    began = time.monotonic()
    for _ in range(4):
        made.get(tenant=1, id="a")
        made.drop_if("f", tenant=1, id="a")
    assert len(source.calls) == 4
    assert time.monotonic() - began >= 3 * 0.29


# ── isolation ────────────────────────────────────────────────────────────────────────────────────────────────────────


@on_valkey
def test_tenants_and_parts_never_meet(source: Source) -> None:
    made = cache(source)
    for tenant, part in (("a:b", "c"), ("a", "b:c"), ("a", "b"), ("", "a:b:c"), ("1", "1"), ("11", "")):
        source.value = f"{tenant}|{part}"
        assert made.get(tenant=tenant, id=part) == source.value
    assert len({entry(made, tenant=t, id=i) for t, i in (("a:b", "c"), ("a", "b:c"))}) == 2
    assert naive("a:b", "c") == naive("a", "b:c")  # the control


def naive(*parts: str) -> str:
    return ":".join(parts)


def test_nothing_personal_is_in_a_key(source: Source, everywhere: Topology) -> None:
    cache(source, tags=("id",)).get(tenant="12345678909", id="ana@example.com")
    for server in everywhere.primaries():
        with server.ask() as client:
            told = b" ".join(key + b" ".join(client.hgetall(key)) for key in client.keys("c:*"))
            assert b"12345678909" not in told
            assert b"ana" not in told


@on_valkey
@pytest.mark.parametrize(
    "planted", [b"\x80\x04cos\nsystem\n(S'false'\ntR.", b"", b"\x00\xc1", b"\x01\x00nonsense", b"\x02\x00"]
)
def test_what_somebody_planted_is_dropped_and_loaded_anew(source: Source, planted: bytes) -> None:
    made = cache(source)
    made.get(tenant=1, id="a")
    client: Any = redis.client("cache")
    client.hset(entry(made, tenant=1, id="a"), "v", planted)
    source.value = "v2"
    assert made.get(tenant=1, id="a") == "v2"
    assert made.get(tenant=1, id="a") == "v2"
    assert len(source.calls) <= 3


# ── the local tier ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_local_tier_asks_nobody_and_hears_invalidations_of_others(source: Source) -> None:
    made = cache(source, local_ttl=1, tags=("id",))
    made.get(tenant=1, id="a")

    def local() -> bool:
        before = made.counts.local
        made.get(tenant=1, id="a")
        return made.counts.local > before

    wait_until(local)
    before = calls()
    assert local()
    assert calls() == before
    source.value = "v2"
    other = ReadThroughCache(made.name, source, key=("tenant", "id"), ttl=60, tags=("id",))  # as another process has it
    assert made._tier
    assert made._tier.seconds == 1
    for drop in (other.invalidate, other.invalidate_tag):
        wait_until(local)
        epoch = made._tier.epoch
        drop(tenant=1, id="a")
        wait_until(lambda epoch=epoch: made._tier.epoch > epoch)  # told: a lapse does not count
        source.value += "'"
    assert made.get(tenant=1, id="a") == "v2'" + "'"


@on_valkey
def test_what_was_asked_for_before_an_invalidation_is_not_put_in_after_it(source: Source) -> None:
    made = cache(source, local_ttl=1)
    assert made._tier
    epoch = made._tier.epoch
    made._tier.empty()
    made._tier.put((1, "a"), b"\0\xc0", epoch)
    assert made._tier._kept == {}
