"""Redis frozen, gone, or deaf: each policy does what it says, in time, and goes back by itself."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Standalone, Topology
from tests.woovi.ratelimit.conftest import Take, ask
from tests.woovi.redis.silence import black_hole
from woovi import redis
from woovi.ratelimit import atake, local, take

HOUR = 3600
SLACK = 10.0  # seconds that a busy machine may add


@pytest.fixture
def away(topology: Topology) -> None:
    for server in topology.servers:
        server.kill()


def test_open_lets_through_closed_refuses(charge: Take, away: None) -> None:
    assert all(charge(ask(1, HOUR, without_redis="open")).allowed for _ in range(3))
    refused = charge(ask(1, HOUR, without_redis="closed"))
    assert (refused.allowed, refused.closed, refused.degraded) == (False, True, True)


@on_valkey
def test_local_counts_in_this_process_at_its_share(charge: Take, away: None, settings: Any) -> None:
    settings.RATE_LIMIT_PROCESSES = 4
    decisions = [charge(ask(20, HOUR)) for _ in range(8)]
    assert [d.allowed for d in decisions].count(True) == 5
    assert all(d.degraded for d in decisions)
    assert not decisions[-1].closed  # too many: 429, not 503


@on_valkey
def test_a_local_bucket_starts_where_redis_left_it(charge: Take, topology: Topology, settings: Any) -> None:
    settings.RATE_LIMIT_PROCESSES = 1
    for _ in range(8):
        charge(ask(10, HOUR))
    for server in topology.servers:
        server.kill()
    assert [charge(ask(10, HOUR)).allowed for _ in range(4)] == [True, True, False, False]


@on_valkey
def test_a_share_of_less_than_one_is_one(charge: Take, away: None, settings: Any) -> None:
    settings.RATE_LIMIT_PROCESSES = 100
    assert [charge(ask(10, HOUR)).allowed for _ in range(3)] == [True, False, False]


@pytest.mark.in_time
def test_a_frozen_server_costs_one_time_out(topology: Topology) -> None:
    asked = ask(5, HOUR)
    take(asked)
    topology.server_of(asked.key).freeze()
    began = time.monotonic()
    decision = take(asked)
    assert time.monotonic() - began < redis.POLICIES["limits"].timeout + SLACK
    assert decision.degraded
    assert decision.allowed
    topology.server_of(asked.key).thaw()
    wait_until(lambda: not take(asked._replace(cost=0)).degraded)


@pytest.mark.in_time
def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as port:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}")
        redis.close()
        began = time.monotonic()
        assert not take(ask(5, HOUR, without_redis="closed")).allowed
        assert time.monotonic() - began < redis.POLICIES["limits"].timeout + SLACK
        assert asyncio.run(_twin()).degraded
    redis.close()


async def _twin() -> Any:
    return await atake(ask(5, HOUR))


def test_a_lost_reply_is_charged_once(valkey: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request arrives, the answer does not: nobody asks again, because that would be a second charge."""
    asked = ask(10, HOUR)
    with socket.create_server(("127.0.0.1", 0)) as between:
        thread = threading.Thread(target=_lose_one_reply, args=(between, valkey.servers[0].port))
        thread.start()
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{between.getsockname()[1]}")
        redis.close()
        assert take(asked).degraded
        thread.join()
    monkeypatch.setenv("REDIS_URL", valkey.url)
    redis.close()
    local.forget()
    assert take(asked._replace(cost=0)).remaining == 9


def _lose_one_reply(between: socket.socket, port: int) -> None:
    """A proxy that hangs up as soon as the server has answered a script."""
    client, _ = between.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        while True:
            asked = client.recv(65_536)
            server.sendall(asked)
            answer = server.recv(65_536)
            if b"EVAL" in asked and not answer.startswith(b"-NOSCRIPT"):
                return
            client.sendall(answer)


def test_a_refusal_is_believed_without_asking(topology: Topology) -> None:
    """An attacker who is over the limit costs Redis nothing more."""
    asked = ask(1, HOUR)
    take(asked)
    take(asked)
    before = commands(topology)
    refused = [take(asked) for _ in range(100)]
    assert not any(d.allowed for d in refused)
    assert refused[-1].retry_after > 0
    assert commands(topology) == before
    local.forget()  # the negative control
    take(asked)
    assert commands(topology) > before


def commands(topology: Topology) -> int:
    """Scripts that ran."""
    total = 0
    for server in topology.primaries():
        with server.ask() as client:
            stats = client.info("commandstats")
            total += sum(stats.get(name, {}).get("calls", 0) for name in ("cmdstat_evalsha", "cmdstat_eval"))
    return total
