"""Redis slow, full, restarted, failed over or gone, and the source with it: who is answered, and by whom."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Sentinels, Topology
from tests.woovi.cache.test_readthrough import Missing, Source, age, cache
from woovi.cache import LoadFailed

PATIENCE = 0.25  # seconds: the role's


@pytest.mark.in_time
@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_without_redis_one_load_serves_a_process(everywhere: Topology, how: str) -> None:
    source = Source()
    made = cache(source)
    assert made.get(tenant=1, id="a") == "v1"
    for server in everywhere.servers:
        getattr(server, how)()
    source.gate.clear()
    with ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(made.get, tenant=1, id="a") for _ in range(30)]
        wait_until(lambda: made.counts.bypass >= 30)
        source.gate.set()
        assert {each.result(20) for each in asked} == {"v1"}
    assert len(source.calls) < 10  # the slowest of the thirty may come after the first load is over
    began = time.monotonic()
    for _ in range(100):
        made.get(tenant=1, id="a")
    assert time.monotonic() - began < 100 * PATIENCE  # the breaker: not a time-out each
    everywhere.heal()
    source.value = "v2"

    def from_redis() -> bool:
        before = made.counts.hit
        made.get(tenant=1, id="a")
        return made.counts.hit > before

    wait_until(from_redis)


@on_valkey
def test_a_source_that_is_down_without_redis_fails_by_name(everywhere: Topology) -> None:
    source = Source(RuntimeError("bank down"))
    made = cache(source, negative_ttl={Missing: 60})
    for server in everywhere.servers:
        server.kill()
    with pytest.raises(LoadFailed, match="RuntimeError: bank down"):
        made.get(tenant=1, id="a")
    source.value = Missing("k")
    with pytest.raises(Missing):
        made.get(tenant=1, id="a")


def test_a_full_server_serves_what_it_has_and_loads_the_rest(everywhere: Topology) -> None:
    source = Source()
    made = cache(source, tags=("id",))
    made.get(tenant=1, id="a")
    limit(everywhere, 1)
    try:
        source.value = "v2"
        assert made.get(tenant=1, id="a") == "v1"
        assert made.get(tenant=1, id="b") == "v2"
        made.invalidate_tag(tenant=1, id="a")
        assert made.get(tenant=1, id="a") == "v2"
    finally:
        limit(everywhere, 0)


def limit(topology: Topology, size: int) -> None:
    for server in topology.primaries():
        with server.ask() as client:
            client.config_set("maxmemory", size)


@on_valkey
def test_the_bank_is_down_for_ten_minutes(everywhere: Topology) -> None:
    """What was read within the window answers; the rest fails at once with the reason; then all is well by itself."""
    source = Source()
    made = cache(source, stale_while_revalidate=30, stale_if_error=3600, early_refresh=0, failure_pause=1)
    made.get(tenant=1, id="known")
    source.value = TimeoutError("no answer")
    for _ in range(10):
        age(made, 60, tenant=1, id="known")
        assert made.get(tenant=1, id="known") == "v1"
    with pytest.raises(LoadFailed, match="no answer"):
        made.get(tenant=1, id="unknown")
    asked = len(source.calls)
    with pytest.raises(LoadFailed, match="no answer"):
        made.get(tenant=1, id="unknown")
    assert len(source.calls) == asked
    source.value = "v2"
    age(made, 1.1, tenant=1, id="unknown")
    assert made.get(tenant=1, id="unknown") == "v2"
    age(made, 60, tenant=1, id="known")
    wait_until(lambda: made.get(tenant=1, id="known") == "v2")


def test_readers_go_on_while_redis_fails_over_and_restarts(everywhere: Topology) -> None:
    source = Source()
    made = cache(source)
    stop, errors = threading.Event(), []

    def read() -> int:
        seen = 0
        try:
            while not stop.is_set():
                assert made.get(tenant=1, id="a") == "v1"
                seen += 1
        except BaseException as error:
            errors.append(error)
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        wait_until(lambda: made.counts.hit > 20 or errors)
        if isinstance(everywhere, Sentinels):
            everywhere.failover()
        for server in everywhere.servers:
            server.kill()
        everywhere.heal()
        hits = made.counts.hit
        wait_until(lambda: made.counts.hit > hits + 20 or errors)
        stop.set()
    assert errors == []
    assert all(each.result() for each in readers)
