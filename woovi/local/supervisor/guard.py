"""Ends the children of a supervisor that was killed, and removes the file that says it runs.

Run as `python -m woovi.local.supervisor.guard FILE` by the supervisor, whose pipe is its standard input: lines `+PID` and
`-PID` as children come and go. The pipe's end means that the supervisor is gone. Linux's parent-death signal would
reach the children but not theirs, and there is none on macOS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PATIENCE = 7.0  # seconds between the request to end and the order


def end_groups(leaders: set[int], patience: float = PATIENCE) -> None:
    """Ask each process group's leader to end (SIGTERM); kill what is left of the groups (SIGKILL) after `patience`."""
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(map(_alive, leaders)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for leader in leaders:
        kill_group(leader)


def kill_group(leader: int) -> None:
    """Kill every process of the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(leader, signal.SIGKILL)


def _alive(leader: int) -> bool:
    try:
        os.kill(leader, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Read process groups from stdin; when it closes, the supervisor is gone: end those still there."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leaders: set[int] = set()
    for line in sys.stdin:
        (leaders.add if line[0] == "+" else leaders.discard)(int(line[1:]))
    end_groups(leaders)
    Path(sys.argv[1]).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
