"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

import os
import tempfile

_data = tempfile.TemporaryDirectory(prefix="woovi-test-")
os.environ.setdefault("WOOVI_DATA_DIR", _data.name)
os.environ.setdefault("WOOVI_ENV", "test")
# Not in pyproject.toml: pytest-django would read the settings before the lines above.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")

import django  # noqa: E402

from woovi import embedded  # noqa: E402

embedded.ensure()
django.setup()

pytest_plugins = ["tests.bank_process", "tests.topologies.fixtures"]

from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from django.db.backends.postgresql.operations import DatabaseOperations  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def _flush_past_the_ledgers_guards() -> None:
    """Let a transactional test's clean-up truncate the ledger, which refuses it to everybody.

    Only a superuser may set the replication role, and only the flush's own transaction has it.
    """
    flush: Callable[..., Any] = DatabaseOperations.execute_sql_flush

    def flush_all(self: DatabaseOperations, statements: list[str]) -> None:
        flush(self, ["SET LOCAL session_replication_role = replica", *statements])

    DatabaseOperations.execute_sql_flush = flush_all  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    embedded.release()  # before the directory goes from under the engines
    _data.cleanup()
