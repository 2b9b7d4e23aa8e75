"""Waiting for conditions and looking at processes, for tests that start and kill real ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fail when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs. One that ended and that nobody has asked about (a zombie) does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def using(folder: Path) -> list[str]:
    """Command lines of the processes that were started for this data directory (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mark = f"WOOVI_DATA_DIR={folder}\0".encode()
            if mark in (process / "environ").read_bytes() and alive(int(process.name)):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
