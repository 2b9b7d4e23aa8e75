"""800 calls from eight processes, some with clocks two minutes off: exactly as many pass as may."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT
from tests.topologies.topologies import Standalone, Topology

SKEWS = (0, 120, -120, 0, 60, -60, 3600, -3600)


def crowd(topology: Topology, mode: str, skews: tuple[int, ...] = SKEWS) -> int:
    """How many of 100 tries of each process passed."""
    env = {**os.environ, "REDIS_URL": topology.url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.woovi.ratelimit.worker", "100"]
    workers = [
        subprocess.Popen([*command, str(skew), mode], cwd=ROOT, env=env, stdin=-1, stdout=-1, text=True)
        for skew in skews
    ]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return sum(int(worker.communicate(timeout=60)[0]) for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_exactly_a_hundred_of_eight_hundred(topology: Topology, mode: str) -> None:
    assert crowd(topology, mode) == 100


def test_looking_before_counting_lets_more_in(valkey: Standalone) -> None:
    """The negative control."""
    assert crowd(valkey, "careless") > 100
