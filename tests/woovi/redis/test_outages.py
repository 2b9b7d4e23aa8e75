"""Silent, frozen, killed and failed-over servers: every call ends in time, and the same client works afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut

from tests.processes import wait_until
from tests.topologies.topologies import Cluster, Sentinels, Standalone, Topology
from tests.woovi.redis.silence import black_hole
from woovi.redis import POLICIES, ROLES, BreakerOpen, Role, Script, aclient, client, close, guard, metrics

pytestmark = pytest.mark.in_time

SLACK = 10.0  # seconds that a busy machine may add


@pytest.fixture
def echo(tmp_path: Path) -> Script:
    path = tmp_path / "echo.lua"
    path.write_text("redis.call('INCR', KEYS[1]) return ARGV[1]")
    return Script(path)


def seconds(call: Callable[[], object], *errors: type[BaseException]) -> float:
    start = time.monotonic()
    with pytest.raises(errors):
        call()
    return time.monotonic() - start


@pytest.mark.parametrize("role", ROLES)
def test_a_black_hole_takes_no_longer_than_the_role_waits(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        await aclient(role).ping()

    with black_hole() as port:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}")
        close()
        assert seconds(lambda: client(role).ping(), TimedOut) < POLICIES[role].timeout + SLACK
        assert seconds(lambda: asyncio.run(ask()), TimedOut) < POLICIES[role].timeout + SLACK
    close()


def test_a_client_with_the_librarys_own_settings_waits_much_longer() -> None:
    """The negative control: what the role's limits protect from."""
    with black_hole() as port, redis.Redis(port=port, socket_timeout=0.1) as careless:
        assert seconds(lambda: careless.ping(), TimedOut) > 10 * POLICIES["locks"].timeout


def test_a_frozen_server_costs_one_time_out(topology: Topology, echo: Script) -> None:
    door = client("locks")
    assert echo(door, ["key"], ["before"]) == b"before"
    server = topology.server_of("key")
    server.freeze()
    try:
        assert seconds(lambda: echo(door, ["key"], ["late"]), TimedOut) < POLICIES["locks"].timeout + SLACK
        assert seconds(lambda: door.get("key"), TimedOut) < POLICIES["locks"].timeout + SLACK
    finally:
        server.thaw()
    # The late answers belong to nobody: the next call gets its own.
    wait_until(lambda: works(lambda: echo(door, ["key"], ["after"]) == b"after"))


def test_a_frozen_server_and_the_twin(topology: Topology, echo: Script) -> None:
    async def run() -> list[bytes]:
        door = aclient("locks")
        answers = [await echo.acall(door, ["key"], ["before"])]
        server = topology.server_of("key")
        server.freeze()
        try:
            start = time.monotonic()
            with pytest.raises(TimedOut):
                await echo.acall(door, ["key"], ["late"])
            assert time.monotonic() - start < POLICIES["locks"].timeout + SLACK
            impatient = asyncio.create_task(echo.acall(door, ["key"], ["cancelled"]))
            await asyncio.sleep(0.01)
            impatient.cancel()
            with pytest.raises(asyncio.CancelledError):
                await impatient
        finally:
            server.thaw()
        deadline = time.monotonic() + 20
        while len(answers) < 6:
            assert time.monotonic() < deadline
            try:
                answers.append(await echo.acall(door, ["key"], [f"after {len(answers)}"]))
            except RedisError:
                await asyncio.sleep(0.02)
        return answers

    assert asyncio.run(run()) == [b"before", *(f"after {number}".encode() for number in range(1, 6))]


def test_the_breaker_opens_and_closes_again_by_itself(topology: Topology, echo: Script) -> None:
    door = client("locks")
    echo(door, ["key"], ["before"])
    server = topology.server_of("key")
    server.kill()
    wait_until(lambda: isinstance(failure(lambda: echo(door, ["key"], ["x"])), BreakerOpen))
    server.start()
    wait_until(lambda: works(lambda: echo(door, ["key"], ["after"]) == b"after"))


def test_an_open_breaker_costs_microseconds(valkey: Standalone) -> None:
    door = client("locks")
    door.ping()
    valkey.servers[0].freeze()
    wait_until(lambda: isinstance(failure(door.ping), BreakerOpen))
    start = time.monotonic()
    refused = sum(isinstance(failure(door.ping), BreakerOpen) for _ in range(1000))
    assert refused >= 999  # one may have been the probe
    assert time.monotonic() - start < POLICIES["locks"].timeout + SLACK
    counts = next(iter(metrics()["locks"].values()))
    assert counts["open"]
    assert counts["refused"] >= refused
    assert counts["errors"] >= guard.FAILURES


def test_without_the_breaker_every_call_costs_a_time_out(valkey: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "FAILURES", 1_000_000)
    door = client("locks")
    valkey.servers[0].freeze()
    start = time.monotonic()
    assert not any(isinstance(failure(door.ping), BreakerOpen) for _ in range(10))
    assert time.monotonic() - start >= 10 * POLICIES["locks"].timeout


def test_a_killed_primary_is_followed_to_its_successor(sentinel: Sentinels, echo: Script) -> None:
    door = client("locks")
    assert echo(door, ["key"], ["before"]) == b"before"
    dead = sentinel.failover()
    wait_until(lambda: works(lambda: echo(door, ["key"], ["after"]) == b"after"))
    assert not dead.alive
    with sentinel.primary().ask() as direct:
        assert direct.exists("key")


def test_a_killed_primary_and_the_twin(sentinel: Sentinels, echo: Script) -> None:
    async def run() -> bytes:
        door = aclient("locks")
        await echo.acall(door, ["key"], ["before"])
        await asyncio.to_thread(sentinel.failover)
        deadline = time.monotonic() + 20
        while True:
            assert time.monotonic() < deadline
            try:
                return bytes(await echo.acall(door, ["key"], ["after"]))
            except RedisError:
                await asyncio.sleep(0.02)

    assert asyncio.run(run()) == b"after"


def test_a_primary_that_became_a_replica_is_left(sentinel: Sentinels) -> None:
    """Nothing dies here: the old primary lives, takes the connection, and refuses to write."""
    door = client("locks")
    door.set("key", "before")
    sentinel.hand_over()
    wait_until(lambda: works(lambda: bool(door.set("key", "after"))))
    with sentinel.primary().ask() as direct:
        assert direct.get("key") == b"after"


def test_a_restarted_server_costs_an_idle_client_nothing(valkey: Standalone) -> None:
    door = client("locks")
    door.ping()
    valkey.servers[0].kill()
    valkey.servers[0].start()
    assert door.ping()


def test_a_lost_answer_is_not_asked_for_again(valkey: Standalone, echo: Script) -> None:
    """INCR must not count twice because a connection broke."""
    door = client("locks")
    echo(door, ["another key"], ["the server knows the script"])
    server = valkey.servers[0]
    server.freeze()
    with pytest.raises(TimedOut):
        echo(door, ["key"], ["late"])
    server.thaw()
    with server.ask() as direct:
        wait_until(lambda: direct.get("key"))
        assert direct.get("key") == b"1"


def works(call: Callable[[], bool]) -> bool:
    try:
        return call()
    except RedisError:
        return False


def failure(call: Callable[[], object]) -> RedisError | None:
    try:
        call()
    except RedisError as error:
        return error
    return None


def test_a_crowd_that_meets_a_frozen_cluster_does_not_queue_up(cluster: Cluster, echo: Script) -> None:
    """Each that finds out who serves its slot now waits for three nodes: one does, and nobody for it."""
    echo(client("cache"), ["key"], ["warm"])
    for server in cluster.servers:
        server.freeze()
    crowd, took = 20, []

    def ask() -> None:
        took.append(seconds(lambda: echo(client("cache"), ["key"], ["x"]), RedisError))

    threads = [threading.Thread(target=ask) for _ in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(took) < crowd * 3 * POLICIES["cache"].timeout / 3  # a third of what a queue would take
