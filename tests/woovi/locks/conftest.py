"""Every topology, two tables, and threads that end."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from tests.topologies.topologies import Topology
from tests.woovi.locks.models import Account, Owner


@pytest.fixture(autouse=True)
def _everywhere(topology: Topology) -> None:
    """Each test of locks runs on each topology, unless it is marked `on_valkey`."""


@pytest.fixture(scope="session")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Owner)
        editor.create_model(Account)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.delete_model(Account)
        editor.delete_model(Owner)


@pytest.fixture
def tables(_tables: None, django_db_blocker: Any) -> Iterator[None]:
    """Two empty tables, and real transactions. Flushing every table of the platform would take a second a test."""
    with django_db_blocker.unblock():
        yield
        Account.objects.all().delete()
        Owner.objects.all().delete()
        connection.close()


@pytest.fixture
def account(tables: None) -> Account:
    return Account.objects.create(pk=9, balance=100)


@pytest.fixture
async def close_connections() -> AsyncIterator[None]:
    """Of the thread in which sync code of tasks runs."""
    yield
    await sync_to_async(connections.close_all)()


class Threads:
    """Threads whose errors are the test's, with database connections that are closed."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def start(self, act: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                act()
            except BaseException as error:
                self.errors.append(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)
        return thread

    def join(self, seconds: float = 20) -> None:
        for thread in self._threads:
            thread.join(seconds)
            assert not thread.is_alive(), "a thread never ended"
        if self.errors:
            raise self.errors[0]


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.join()
