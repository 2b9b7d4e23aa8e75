"""Two hundred readers of one cold entry in four processes: one load, whoever dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Process, wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.cache.test_readthrough import age
from woovi.cache import ReadThroughCache

PROCESSES, READERS = 4, 50


@contextlib.contextmanager
def crowd(folder: Path, topology: Topology, way: str, *fault: str, lease: int = 20) -> Iterator[Process]:
    own = {"REDIS_URL": "embedded://", "REDIS_CACHE_URL": topology.url}  # Django's own cache runs on no Cluster
    words = (str(folder), way, str(PROCESSES), str(READERS), str(lease), *fault)
    with Process("-m", "tests.woovi.cache.reader", *words, **own) as readers:
        wait_until(lambda: readers.log().count("ready") == PROCESSES, 60)
        (folder / "go").touch()
        yield readers


def loads(folder: Path) -> list[int]:
    file = folder / "loads"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def waits(folder: Path) -> list[float]:
    found = [json.loads(path.read_text()) for path in folder.iterdir() if path.name.isdigit()]
    return sorted(wait for each in found for wait in each)


def read(folder: Path) -> set[str]:
    """Every value that somebody was given."""
    return {value for path in folder.glob("*.read") for value in json.loads(path.read_text())}


@on_valkey
@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_one_load(everywhere: Topology, tmp_path: Path, way: str) -> None:
    with crowd(tmp_path, everywhere, way) as readers:
        readers.wait_for("done", 60)
    assert len(loads(tmp_path)) == 1
    assert len(waits(tmp_path)) == PROCESSES * READERS
    assert read(tmp_path) == {"value"}


@pytest.mark.parametrize("stale", [600, 0], ids=["served", "control"])
def test_nobody_waits_when_an_entry_ends(server: Topology, tmp_path: Path, stale: int) -> None:
    """One of the two hundred refreshes it, and all of them have the old value; without staleness all of them wait."""
    before = ReadThroughCache("stampede", lambda **_: "old", key=("id",), ttl=60, stale_while_revalidate=stale)
    before.get(id=1)
    age(before, 61, id=1)
    with crowd(tmp_path, server, "threads", "hold", lease=100) as readers:
        wait_until(lambda: len(list(tmp_path.glob("*.read"))) == PROCESSES if stale else loads(tmp_path), 60)
        assert read(tmp_path) == ({"old"} if stale else set())
        (tmp_path / "served").touch()
        readers.wait_for("done", 60)
    assert read(tmp_path) == ({"old"} if stale else {"value"})
    assert len(loads(tmp_path)) == 1
    assert before.get(id=1) == "value"


def test_a_loader_that_is_killed_is_followed_by_one(everywhere: Topology, tmp_path: Path) -> None:
    with crowd(tmp_path, everywhere, "threads", "hang", lease=2) as readers:
        wait_until(lambda: loads(tmp_path), 60)
        [first] = loads(tmp_path)
        os.kill(first, signal.SIGKILL)
        readers.wait_for("done", 60)
    assert len(loads(tmp_path)) == 2
    assert len(waits(tmp_path)) == (PROCESSES - 1) * READERS


@on_valkey
def test_a_loader_that_raises_is_not_run_two_hundred_times(everywhere: Topology, tmp_path: Path) -> None:
    with crowd(tmp_path, everywhere, "threads", "raise") as readers:
        readers.wait_for("done", 60)
    assert len(loads(tmp_path)) == 1
    assert len(waits(tmp_path)) == PROCESSES * READERS
