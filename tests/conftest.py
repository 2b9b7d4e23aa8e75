"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db.backends.postgresql.creation import DatabaseCreation
from django.db.backends.postgresql.operations import DatabaseOperations

from payments import bank
from tests import environment
from woovi.local import embedded
from woovi.ratelimit import local, metrics, seen, store, subject

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


@pytest.fixture(autouse=True, scope="session")
def _the_last_session_may_still_be_leaving() -> None:
    """Drop the test database whoever is connected: PostgreSQL takes a moment to miss a process that a test killed."""

    def drop(self: DatabaseCreation, name: str, verbosity: int) -> None:
        with self._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.connection.ops.quote_name(name)} WITH (FORCE)")

    DatabaseCreation._destroy_test_db = drop  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _counted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate limits are as shipped, and who is counted in one test is a stranger to the next, in Redis too."""
    key = os.urandom(16)
    monkeypatch.setattr(subject, "_key", lambda: key)
    subject.digest.cache_clear()
    local.forget()
    for table in (metrics.counts, metrics.limited, seen._sent):
        table.clear()  # type: ignore[attr-defined]
    monkeypatch.setattr(store, "_store", store.Store())
    store._store._looked = float("inf")  # never reads the database


def pytest_unconfigure() -> None:
    bank.disconnect()
    embedded.release()  # before the directory goes from under the engines
    environment.data.cleanup()
