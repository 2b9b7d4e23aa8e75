"""Every topology, and a process that hears news anew."""

from __future__ import annotations

import pytest

from tests.topologies.topologies import Topology
from woovi.cache import news, readthrough, versioned


@pytest.fixture(autouse=True)
def _registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache that a test makes is known after it: commands would try to warm it."""
    for module in (readthrough, versioned):
        monkeypatch.setattr(module, "registry", dict(module.registry))


@pytest.fixture
def everywhere(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> Topology:
    """The test runs on each topology, unless it is marked `on_valkey`."""
    monkeypatch.setattr(news, "news", news.News())
    return topology


@pytest.fixture
def server(valkey: Topology, monkeypatch: pytest.MonkeyPatch) -> Topology:
    """The test runs on a Valkey of its own."""
    monkeypatch.setattr(news, "news", news.News())
    return valkey
