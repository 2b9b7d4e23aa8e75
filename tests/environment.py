"""What this run's processes share, said before anything reads the settings: pytest loads this first of all (`-p`)."""

from __future__ import annotations

import os
import sys
import tempfile

from tests import leftovers

data = tempfile.TemporaryDirectory(prefix="woovi-test-")
if "PYTEST_XDIST_WORKER" in os.environ:  # has its starter's variables, and needs engines of its own
    os.environ["WOOVI_DATA_DIR"] = data.name
os.environ.setdefault("WOOVI_DATA_DIR", data.name)
os.environ.setdefault("WOOVI_ENV", "test")

# Else every worker and each of the hundreds of processes that tests start would compile the same 700 files anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

watcher = leftovers.watch(data.name)
