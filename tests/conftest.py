"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_data = tempfile.TemporaryDirectory(prefix="woovi-test-")
Path(_data.name).chmod(0o711)  # PostgreSQL runs as another user than root, and must reach its folder
os.environ.setdefault("WOOVI_DATA_DIR", _data.name)
os.environ.setdefault("WOOVI_ENV", "test")
# Not in pyproject.toml: pytest-django would read the settings before the lines above.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

import django  # noqa: E402

from woovi import embedded  # noqa: E402

embedded.ensure()
django.setup()

pytest_plugins = ["tests.bank_process"]
