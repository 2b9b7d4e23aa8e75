"""Rows whose value is never shown older than the database: with Redis, without it, and when it comes back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, models, transaction
from redis.exceptions import RedisError

from tests.processes import wait_until
from tests.topologies.fixtures import on_valkey
from tests.topologies.topologies import Topology
from tests.woovi.cache.refusing import refusing
from woovi import redis
from woovi.cache import VersionedCache, versioned
from woovi.outbox.models import OutboxEvent
from woovi.outbox.relay import Relay

pytestmark = pytest.mark.usefixtures("everywhere", "table")


class Row(models.Model):
    value = models.IntegerField()
    version = models.IntegerField(default=1)

    class Meta:
        app_label, db_table = "tests", "cache_row"


@pytest.fixture(scope="session")
def _table(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django makes the platform's tables only where some test of the run is marked; the outbox is needed here."""
    with django_db_blocker.unblock():
        missing = [m for m in (Row, OutboxEvent) if m._meta.db_table not in connection.introspection.table_names()]
        with connection.schema_editor() as editor:
            for model in missing:
                editor.create_model(model)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in missing:
            editor.delete_model(model)


@pytest.fixture
def table(_table: None, django_db_blocker: Any) -> Iterator[None]:
    """A table with real transactions; flushing every table of the platform would take a second a test."""
    with django_db_blocker.unblock():
        yield
        Row.objects.all().delete()
        OutboxEvent.objects.filter(topic=versioned.TOPIC)._raw_delete(connection.alias)
        connection.close()


@pytest.fixture
def row() -> Row:
    return Row.objects.create(value=100)


def cache(**options: Any) -> VersionedCache:
    def read(pks: Any) -> dict[int, tuple[int, Any]]:
        reads.append(list(pks))
        return {row.pk: (row.version, row.value) for row in Row.objects.filter(pk__in=pks)}

    reads: list[list[int]] = []
    made = VersionedCache(f"row-{uuid4().hex[:8]}", read, **options)
    made.reads = reads  # type: ignore[attr-defined]
    return made


def write(made: VersionedCache, pk: int, value: int) -> bool:
    with transaction.atomic():
        known = made.intend([pk], "7")
        Row.objects.filter(pk=pk).update(value=value, version=models.F("version") + 1)
    return known


def test_a_hit_asks_no_database_and_after_a_write_the_first_reader_does(row: Row) -> None:
    made = cache()
    assert [made.get(row.pk) for _ in range(3)] == [100] * 3
    assert made.reads == [[row.pk]]  # type: ignore[attr-defined]
    assert write(made, row.pk, 70)
    assert made.reads == [[row.pk]]  # type: ignore[attr-defined]
    assert [made.get(row.pk) for _ in range(3)] == [70] * 3
    assert made.reads == [[row.pk]] * 2  # type: ignore[attr-defined]
    with pytest.raises(KeyError):
        made.get(-1)


async def test_the_same_for_tasks(row: Row) -> None:
    made = cache()
    assert [await made.aget(row.pk) for _ in range(3)] == [100] * 3
    await sync_to_async(write)(made, row.pk, 70)
    assert await made.aget(row.pk) == 70
    assert len(made.reads) == 2  # type: ignore[attr-defined]
    await sync_to_async(connections.close_all)()


def test_readers_ask_the_database_while_a_write_is_under_way(row: Row) -> None:
    made = cache()
    made.get(row.pk)
    begun, end = threading.Event(), threading.Event()

    def writer() -> None:
        try:
            with transaction.atomic():
                made.intend([row.pk], "7")
                Row.objects.filter(pk=row.pk).update(value=70, version=2)
                begun.set()
                assert end.wait(20)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(writer)
        assert begun.wait(20)
        assert [made.get(row.pk) for _ in range(3)] == [100] * 3
        assert redis.client("locks").hexists(made._keys(row.pk)[0], "v") == 0
        end.set()
        writing.result(20)
    assert made.get(row.pk) == 70


def test_a_crash_after_the_commit_leaves_the_database_to_readers(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cache()
    made.get(row.pk)
    with monkeypatch.context() as dead:
        dead.setattr(made, "_settle_quietly", lambda intents: None)
        write(made, row.pk, 70)
    assert [made.get(row.pk) for _ in range(3)] == [70] * 3
    assert len(made.reads) == 4  # type: ignore[attr-defined]
    redis.client("locks").delete(made._keys(row.pk)[1])  # its deadline passed
    assert [made.get(row.pk) for _ in range(3)] == [70] * 3
    assert len(made.reads) == 5  # type: ignore[attr-defined]


@on_valkey
def test_a_crash_after_the_commit_without_an_intent_is_caught(row: Row) -> None:
    """The control: a cache that is deleted in on_commit, whose process dies before it."""
    made = cache()
    made.get(row.pk)
    Row.objects.filter(pk=row.pk).update(value=70, version=2)
    assert made.get(row.pk) == 100


@on_valkey
def test_a_rollback_changes_nothing(row: Row) -> None:
    made = cache()
    with transaction.atomic():
        made.intend([row.pk], "7")
        Row.objects.filter(pk=row.pk).update(value=70, version=2)
        transaction.set_rollback(True)
    assert made.get(row.pk) == 100


@on_valkey
def test_inside_a_transaction_the_database_is_read_and_nothing_is_kept(row: Row) -> None:
    made = cache()
    with transaction.atomic():
        Row.objects.filter(pk=row.pk).update(value=70, version=2)
        assert made.get(row.pk) == 70
        transaction.set_rollback(True)
    assert made.get(row.pk) == 100
    with pytest.raises(RuntimeError):
        made.intend([row.pk], "7")


def test_a_late_reader_does_not_put_an_old_value_back(row: Row) -> None:
    made = cache()
    read = made.read

    def slow(pks: Any) -> Any:
        found = read(pks)
        made.read = read  # type: ignore[method-assign]
        write(made, row.pk, 70)  # while this reader is on its way back
        return found

    made.read = slow  # type: ignore[method-assign]
    assert made.get(row.pk) == 100  # it asked before
    assert made.counts.refused == 1
    assert made.get(row.pk) == 70


@on_valkey
def test_another_schema_is_read_anew(row: Row) -> None:
    made = cache()
    made.get(row.pk)
    made.schema = 2
    assert made.get(row.pk) == 100
    redis.client("locks").hset(made._keys(row.pk)[0], "v", b"\x80planted")
    assert made.get(row.pk) == 100


# ── without Redis ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_redis_refuses_before_the_intent_and_comes_back_with_the_old_value(row: Row, everywhere: Topology) -> None:
    made = cache(ttl=600)
    assert made.get(row.pk) == 100
    with refusing(everywhere):
        assert not write(made, row.pk, 70)
        assert made.get(row.pk) == 70  # from the database
    assert made.get(row.pk) == 100  # who heeds what `intend` returned reads the database for as long as `doubt`
    assert made.read_now(row.pk) == 70
    wait_until(lambda: relayed(Relay({"cache:": versioned.settle})))
    assert made.get(row.pk) == 70


def test_redis_refuses_after_the_intent_and_comes_back(row: Row, everywhere: Topology) -> None:
    made = cache(ttl=600)
    assert made.get(row.pk) == 100
    with contextlib.ExitStack() as stack, transaction.atomic():
        assert made.intend([row.pk], "7")
        Row.objects.filter(pk=row.pk).update(value=70, version=2)
        stack.enter_context(refusing(everywhere))
    assert [made.get(row.pk) for _ in range(3)] == [70] * 3  # the intent lives
    assert not OutboxEvent.objects.filter(topic=versioned.TOPIC).exists()


def relayed(relay: Relay) -> bool:
    OutboxEvent.objects.filter(topic=versioned.TOPIC, relayed_at=None).update(leased_until=None)  # no waiting here
    relay.once()
    return not OutboxEvent.objects.filter(topic=versioned.TOPIC, relayed_at=None).exists()


def answers(made: VersionedCache, pk: int) -> bool:
    try:
        return redis.client("locks").exists(made._keys(pk)[0]) in (0, 1)
    except RedisError:
        return False


def test_without_redis_the_database_answers(row: Row, everywhere: Topology) -> None:
    made = cache()
    made.get(row.pk)
    for server in everywhere.servers:
        server.kill()
    assert made.get(row.pk) == 100
    assert not write(made, row.pk, 70)
    assert made.get(row.pk) == 70
    everywhere.heal()
    wait_until(lambda: answers(made, row.pk))
    assert made.get(row.pk) == 70


def test_a_full_server_takes_intents_and_shows_nothing_old(row: Row, server: Topology) -> None:
    made = cache()
    made.get(row.pk)
    with server.primaries()[0].ask() as client:
        client.config_set("maxmemory", 1)
        try:
            known = write(made, row.pk, 70)
            assert made.get(row.pk) == 70
            assert known
        finally:
            client.config_set("maxmemory", 0)
    assert made.get(row.pk) == 70
