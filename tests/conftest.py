"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations

from payments import bank
from tests import environment
from woovi import embedded

pytest_plugins = ["tests.bank_process", "tests.topologies.fixtures"]

embedded.ensure()


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
    bank.disconnect()
    embedded.release()  # before the directory goes from under the engines
    environment.data.cleanup()
