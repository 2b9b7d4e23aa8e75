"""Statements that the server plans once a connection."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from psycopg import Binary

from woovi import statements
from woovi.outbox.models import OutboxEvent

WRITE = """
INSERT INTO outbox_outboxevent (event_id, topic, tenant, seq, payload, created_at, attempts)
VALUES (gen_random_uuid(), $1, 'a', $2, '{"deep": [1, null]}', $3, 0) RETURNING id
"""
READ = f"""
SELECT {statements.columns(OutboxEvent, "one")}, {statements.columns(OutboxEvent, "other")}
FROM outbox_outboxevent one JOIN outbox_outboxevent other USING (tenant)
WHERE one.id = ANY($1::bigint[]) AND other.id <> one.id ORDER BY one.id
"""
AT = datetime(2026, 2, 3, 4, 5, 6, 789, UTC)

pytestmark = pytest.mark.django_db(transaction=True)


def write(topic: str, seq: int | None = None) -> int:
    ((pk,),) = statements.fetch(WRITE, topic, seq, AT)
    return int(pk)


def test_rows_are_the_models_that_django_makes() -> None:
    ids = [write("x,{}"), write("y")]
    made = statements.rows([OutboxEvent, OutboxEvent], READ, ids)
    assert [(one.pk, other.pk) for one, other in made] == [(ids[0], ids[1]), (ids[1], ids[0])]
    for one, _ in made:
        known = OutboxEvent.objects.get(pk=one.pk)
        assert {f.attname: getattr(one, f.attname) for f in OutboxEvent._meta.fields} == {
            f.attname: getattr(known, f.attname) for f in OutboxEvent._meta.fields
        }
        assert one.created_at == AT
        assert not one._state.adding


def test_a_transaction_of_djangos_holds_it_and_a_rollback_forgets_no_statement() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        write("x")  # prepared and begun in here
        raise ZeroDivisionError
    assert not OutboxEvent.objects.exists()
    with transaction.atomic():
        write("x")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ['%\'{"deep"%'])
            assert cursor.fetchone() == (1,)
    assert OutboxEvent.objects.count() == 1


def test_refusals_are_djangos_errors() -> None:
    write("x", 1)
    with pytest.raises(IntegrityError):
        write("y", 1)
    with pytest.raises(DataError):
        write("y" * 101)
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():  # noqa: PT012
        transaction.set_rollback(True)
        write("z")
    assert OutboxEvent.objects.count() == 1


def test_a_row_is_inserted_once_and_is_what_django_reads() -> None:
    first = OutboxEvent(topic="x", tenant="é", payload={"deep": [1, None, "{,}"]}, created_at=AT)
    assert statements.insert(first, "event_id")
    known = OutboxEvent.objects.get()
    assert {f.attname: getattr(first, f.attname) for f in OutboxEvent._meta.fields} == {
        f.attname: getattr(known, f.attname) for f in OutboxEvent._meta.fields
    }
    again = OutboxEvent(topic="y", tenant="b", payload={}, event_id=first.event_id)
    assert not statements.insert(again, "event_id")
    assert again.pk is None
    assert OutboxEvent.objects.get() == first


def test_bytes_are_bytes() -> None:
    ((given,),) = statements.fetch("SELECT $1::bytea", Binary(b"\0\\x\xff"))
    assert bytes(given) == b"\0\\x\xff"


def test_nul_is_refused_and_ends_no_text() -> None:
    with pytest.raises(DataError, match="NUL"):
        write("x\0y")
    assert not OutboxEvent.objects.exists()


def test_another_connection_prepares_for_itself() -> None:
    write("x")
    connection.close_pool()  # type: ignore[attr-defined]
    connection.close()
    write("y")
    assert OutboxEvent.objects.count() == 2
