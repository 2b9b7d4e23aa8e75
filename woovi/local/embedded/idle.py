"""`python -m woovi.local.embedded.idle`: fails, and says so, while something uses the data directory. For `make clean`."""

from __future__ import annotations

import fcntl
import sys
import time
from pathlib import Path

from woovi.local.embedded.client import wait_gone
from woovi.local.embedded.layout import Layout

SECONDS = 5.0  # engines whose last user has just left need a moment


def main() -> None:
    """Exit with a message where something runs on the data folder."""
    layout = Layout.current()
    for path in (layout.data / "up.lock", layout.users_lock):
        if path.exists() and not _comes_free(path):
            sys.exit(f"{layout.data} is in use: stop what runs on it first")
    if not wait_gone(layout):
        sys.exit(f"the engines of {layout.data} still run")


def _comes_free(path: Path) -> bool:
    deadline = time.monotonic() + SECONDS
    with path.open() as lock:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                time.sleep(0.1)
    return False


if __name__ == "__main__":
    main()
