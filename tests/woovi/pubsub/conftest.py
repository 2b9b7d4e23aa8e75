"""Every topology; a relay that is run by hand; readers whose sockets are closed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection, connections, transaction

from tests.topologies.topologies import Topology
from woovi import outbox
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay
from woovi.pubsub import Entry, Hub, Pace, Subscription, carry

TENANT = "1"


@pytest.fixture(autouse=True)
def _everywhere(topology: Topology) -> None:
    """Each test of the room runs on each topology, unless it is marked `on_valkey`."""


@pytest.fixture(scope="session")
def _table(django_db_setup: None, django_db_blocker: Any) -> None:
    """The tables: pytest-django makes a database only where a test is marked for it."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        connection.close()


@pytest.fixture
def log(_table: None, django_db_blocker: Any) -> Iterator[None]:
    """An empty log, and real transactions. Flushing every table of the platform would take a second a test."""
    with django_db_blocker.unblock():
        yield
        OutboxEvent.objects.all().delete()
        connection.close()


def write(count: int = 1, tenant: str = TENANT, topic: str = "x") -> None:
    with transaction.atomic():
        outbox.write_many((topic, tenant, {"n": n}) for n in range(count))


def relay() -> None:
    """Carry all that is due."""
    each = Relay({"": carry})
    while each.once():
        pass


def publish(count: int = 1, tenant: str = TENANT, topic: str = "x") -> None:
    write(count, tenant, topic)
    relay()


def _closing(act: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    def run(*args: object) -> None:
        try:
            act(*args)
        finally:
            connection.close()

    return sync_to_async(run)


awrite, arelay, apublish = _closing(write), _closing(relay), _closing(publish)


@pytest.fixture
async def hub(log: None) -> AsyncIterator[Hub]:
    made = Hub()
    yield made
    await settled()
    await sync_to_async(connections.close_all)()  # the one of the thread in which this loop's queries ran
    gc.collect()  # what was left unclosed is this test's


async def settled() -> None:
    """Until its tasks, which it cancelled, have closed their connections."""
    await asyncio.gather(
        *(task for task in asyncio.all_tasks() if task is not asyncio.current_task()), return_exceptions=True
    )


async def hears(hub: Hub) -> None:
    await until(lambda: hub.listener.hears)


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def take(subscription: Subscription, count: int, seconds: float = 20) -> list[int]:
    """Numbers of the next entries, at least so many."""
    seen: list[int] = []
    async with asyncio.timeout(seconds):
        while len(seen) < count:
            with contextlib.suppress(Pace):
                seen += [entry.seq for entry in await subscription.next()]
    return seen


async def nothing(subscription: Subscription, seconds: float = 0.3) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            raise AssertionError(await subscription.next())


def number(entry: Entry) -> int:
    return int(json.loads(entry.frame)["seq"])
