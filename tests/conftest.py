"""Every test runs against a real PostgreSQL and a real Valkey, started for this run alone."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.postgresql.creation import DatabaseCreation
from django.test import TransactionTestCase
from whitenoise.middleware import WhiteNoiseMiddleware

from payments import bank
from tests import environment
from woovi import redis
from woovi.local import embedded
from woovi.ratelimit import local, metrics, seen, store, subject

pytest_plugins = ["tests.bank_process", "tests.topologies.fixtures"]

# xdist hands out the files in this order. First those of minutes, beside page tests, which are together because each worker starts
# their platform anew. Then a file that waits more than it computes beside each that computes, so that no processor is idle.
FIRST = (
    "tests/faults/test_batch_storm.py",
    "tests/faults/test_lock_storm.py",
    "tests/browser/test_merchants.py",
    "tests/browser/",
)
WAIT = ("tests/faults/", "tests/attacks/", "tests/realtime/", "tests/woovi/")


def order(files: list[str]) -> list[str]:
    """The test files as they are handed out."""
    first = [file for start in FIRST for file in files if file.startswith(start)]
    waiting = [file for start in WAIT for file in files if file.startswith(start)]
    rest = [file for file in files if not file.startswith((*FIRST, *WAIT))]
    mixed = [file for pair in zip_longest(waiting, rest) for file in pair if file]
    return list(dict.fromkeys(first + mixed))


def pytest_configure(config: pytest.Config) -> None:
    if config.option.dist == "no":  # not where xdist's workers run the tests: each has engines of its own
        embedded.ensure()


@pytest.hookimpl(trylast=True)  # after pytest-django, which puts tests without a database last
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = dict.fromkeys(item.nodeid.partition("::")[0] for item in items)
    places = {file: place for place, file in enumerate(order(list(files)))}
    items.sort(key=lambda item: places[item.nodeid.partition("::")[0]])


def pytest_collection_finish() -> None:
    """What was imported and collected stays: a million objects, which each look for garbage would go through: half a second."""
    gc.collect()
    gc.freeze()


SETTINGS = ("SET LOCAL session_replication_role = replica", "SET LOCAL lock_timeout = '20s'")
KEPT = {"auth_permission", "django_content_type"}  # written by `migrate` alone


@pytest.fixture(autouse=True, scope="session")
def _emptied_past_the_ledgers_guards() -> None:
    """After a transactional test delete the rows, the ledger's too, which refuses that to everybody.

    Django would truncate every table and write the permissions anew, which takes twenty times as long. Only a superuser may
    set the replication role, under which no trigger runs, and only this transaction has it.
    """

    def empty(self: TransactionTestCase) -> None:
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
        deletions = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in sorted(tables)]
        for tries_left in (2, 1, 0):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(";".join([*SETTINGS, *deletions]))
                return
            except OperationalError:  # a deadlock with a process that has not ended yet what the test began
                if not tries_left:
                    raise

    TransactionTestCase._fixture_teardown = empty  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _dropped_in_the_end() -> None:
    """Also where the session of a process that was just killed is not over yet."""

    def drop(self: DatabaseCreation, name: str, verbosity: int) -> None:
        with self._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.connection.ops.quote_name(name)} WITH (FORCE)")

    DatabaseCreation._destroy_test_db = drop  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _static_files_are_listed_once() -> None:
    """Every test client loads the middleware anew, and WhiteNoise would look at all 190 files each time: 50 ms of CPU."""
    files: dict[str, object] = {}
    list_all = WhiteNoiseMiddleware.add_files_from_finders

    def list_once(self: WhiteNoiseMiddleware) -> None:
        if not files:
            list_all(self)
            files.update(self.files)
        self.files = files

    WhiteNoiseMiddleware.add_files_from_finders = list_once


# What waits for less than a second as shipped.
PATIENT: tuple[redis.Role, ...] = ("cache", "locks", "limits", "django")


@pytest.fixture(autouse=True)
def _late_is_not_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis on a busy machine answers late, and is waited for. A test of time-outs is marked `in_time`: they are as shipped."""
    in_time = request.node.get_closest_marker("in_time")
    if in_time:
        redis.close()  # what was connected before is patient
    else:
        for role in PATIENT:
            monkeypatch.setitem(redis.POLICIES, role, replace(redis.POLICIES[role], timeout=5.0))
    yield
    if in_time:
        redis.close()


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


@pytest.fixture(autouse=True)
def _all_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process looks at operators' switches, or a query a second would be counted somewhere. Their own tests do."""
    from payments.services import switches

    monkeypatch.setattr(switches, "known", switches._Known())
    switches.known.looked = float("inf")


def pytest_unconfigure() -> None:
    bank.disconnect()
    embedded.release()  # before the directory goes from under the engines
    environment.data.cleanup()
