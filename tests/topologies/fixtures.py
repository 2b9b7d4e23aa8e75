"""The fixtures: `topology` (each in turn), and `valkey`, `sentinel`, `cluster` for tests that are about one of them.

A test is marked `on_valkey` where no topology could make a difference: it asks what the platform does, and not how a server
is reached, where a key lies or who waits at it.

A module whose tests lose replies or replication overrides `topology` by one of proxied servers (`serving`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.topologies.topologies import NAMES, Cluster, Sentinels, Standalone, Topology, make
from woovi import redis

on_valkey = pytest.mark.parametrize("topology", ["valkey"], indirect=True)


class Park:
    """The topologies that this run has started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[tuple[str, bool], Topology] = {}

    def get(self, name: str, proxied: bool = False) -> Topology:
        if (name, proxied) not in self.running:
            self.running[name, proxied] = make(name, self.folder, proxied)
        topology = self.running[name, proxied]
        for server in topology.servers:
            if server.proxy:
                server.proxy.heal()
        topology.heal()
        return topology

    def stop(self) -> None:
        for each in self.running.values():
            each.stop()


@pytest.fixture(scope="session")
def topologies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Park]:
    park = Park(tmp_path_factory.mktemp("topologies"))
    yield park
    park.stop()


@pytest.fixture(params=NAMES)
def topology(request: pytest.FixtureRequest, topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topology]:
    yield from serving(topologies.get(request.param), monkeypatch)


@pytest.fixture
def valkey(topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standalone]:
    yield from serving(topologies.get("valkey"), monkeypatch)  # type: ignore[misc]


@pytest.fixture
def proxied(topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standalone]:
    """A Valkey behind a proxy that a test may have lose things."""
    yield from serving(topologies.get("valkey", proxied=True), monkeypatch)  # type: ignore[misc]


@pytest.fixture
def sentinel(topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sentinels]:
    yield from serving(topologies.get("sentinel"), monkeypatch)  # type: ignore[misc]


@pytest.fixture
def cluster(topologies: Park, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    yield from serving(topologies.get("cluster"), monkeypatch)  # type: ignore[misc]


def serving(each: Topology, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topology]:
    """All roles at this topology, through clients that know nothing of the test before."""
    monkeypatch.setenv("REDIS_URL", each.url)
    for role in redis.ROLES:
        monkeypatch.delenv(f"REDIS_{role.upper()}_URL", raising=False)
    redis.close()
    yield each
    redis.close()
