"""800 calls from eight processes, some with clocks two minutes off: exactly as many pass as may."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

from tests.processes import ROOT
from tests.topologies.topologies import Standalone, Topology

SKEWS = (0, 0, 120, 60, -120, -60, 3600, -3600)


def crowd(topology: Topology, *modes: str) -> tuple[int, int]:
    """How many of 100 tries of each process passed, and how many the larger limit would still let pass.

    The processes take the modes in turn.
    """
    env = {**os.environ, "REDIS_URL": topology.url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.woovi.ratelimit.worker", "100"]
    workers = [
        subprocess.Popen([*command, str(skew), mode], cwd=ROOT, env=env, stdin=-1, stdout=-1, text=True)
        for skew, mode in zip(SKEWS, itertools.cycle(modes), strict=False)
    ]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [worker.communicate(timeout=60)[0].split() for worker in workers]
        return sum(int(passed) for passed, _ in told), min(int(left) for _, left in told)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_exactly_a_hundred_of_eight_hundred(topology: Topology) -> None:
    assert crowd(topology, "sync", "async") == (100, 50)  # a refusal by the limit of 100 took nothing from that of 150


def test_looking_before_counting_lets_more_in(valkey: Standalone) -> None:
    """The negative control."""
    assert crowd(valkey, "careless")[0] > 100
