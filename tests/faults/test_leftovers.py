"""A test run that is killed leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.liveness import alive, eventually

# Its child is in a session of its own, as servers are, and has a child in turn.
RUN = """
import subprocess, sys, time
from tests import leftovers
if sys.argv[1] == "watched":
    watcher = leftovers.watch(sys.argv[2])
sleeper = subprocess.Popen(["sh", "-c", "sleep 120 & echo $!; wait"], start_new_session=True)
time.sleep(120)
"""


@pytest.mark.parametrize("kind", ["watched", "alone"])
def test_what_a_killed_run_started_ends(tmp_path: Path, kind: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with subprocess.Popen([sys.executable, "-c", RUN, kind, str(data)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        sleeper = int(run.stdout.readline())
        run.kill()
    try:
        if kind == "watched":
            eventually(lambda: not alive(sleeper) and not data.exists())
        else:
            assert alive(sleeper), "the control: nobody ends it"
    finally:
        if alive(sleeper):
            os.killpg(os.getpgid(sleeper), signal.SIGKILL)
