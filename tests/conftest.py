"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

import os
import tempfile

_data = tempfile.TemporaryDirectory(prefix="woovi-test-")
os.environ.setdefault("WOOVI_DATA_DIR", _data.name)
os.environ.setdefault("WOOVI_ENV", "test")

from woovi import embedded  # noqa: E402

embedded.ensure()


def pytest_unconfigure() -> None:
    embedded.release()  # before the directory goes from under the engines
    _data.cleanup()
