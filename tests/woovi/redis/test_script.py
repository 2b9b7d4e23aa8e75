"""Scripts on every topology, as the most patient role: time-outs are tested elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.topologies.topologies import Topology
from woovi.redis import Script, aclient, client


@pytest.fixture
def count(tmp_path: Path) -> Script:
    path = tmp_path / "count.lua"
    path.write_text("return {redis.call('INCRBY', KEYS[1], ARGV[1]), ARGV[2]}")
    return Script(path)


KEYS = [f"{{key-{number}}}" for number in range(20)]  # over all nodes of a Cluster


def test_a_call_returns_the_scripts_answer(topology: Topology, count: Script) -> None:
    assert [count(client("broker"), [key], [2, "é"]) for key in KEYS] == [[2, "é".encode()]] * len(KEYS)


def test_a_forgotten_script_is_healed(topology: Topology, count: Script) -> None:
    count(client("broker"), ["key"], [1, ""])
    for server in topology.primaries():
        with server.ask() as direct:
            direct.script_flush()
    assert count(client("broker"), ["key"], [1, ""])[0] == 2


def test_the_twin_does_the_same(topology: Topology, count: Script) -> None:
    async def run() -> list[int]:
        found = [(await count.acall(aclient("broker"), [key], [1, ""]))[0] for key in KEYS]
        for server in topology.primaries():
            with server.ask() as direct:
                direct.script_flush()
        return found + [(await count.acall(aclient("broker"), [key], [1, ""]))[0] for key in KEYS]

    assert asyncio.run(run()) == [1] * len(KEYS) + [2] * len(KEYS)
