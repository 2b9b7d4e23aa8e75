"""An event is written in the transaction whose change it tells of, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from woovi import outbox, statements
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


def test_refuses_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        outbox.write("thing.made", "1", {})
    assert not OutboxEvent.objects.exists()


def test_is_there_after_commit_and_not_after_rollback() -> None:
    with transaction.atomic():
        event = outbox.write("thing.made", "1", {"é": [1]})
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        outbox.write("thing.made", "2", {})
        raise ZeroDivisionError
    kept = OutboxEvent.objects.get()
    assert (kept.event_id, kept.tenant, kept.payload, kept.relayed_at) == (event.event_id, "1", {"é": [1]}, None)


def test_many_are_one_statement(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    sent, execute = [], statements.execute

    def counted(sql: str, *values: Any) -> Any:
        sent.append(sql)
        return execute(sql, *values)

    monkeypatch.setattr(statements, "execute", counted)
    with transaction.atomic(), django_assert_num_queries(0):  # of Django's own
        events = outbox.write_many(("thing.made", str(n), {"n": n}) for n in range(300))
    assert len(sent) == 1
    assert [event.id for event in events] == sorted(event.id for event in events)
    for event in OutboxEvent.objects.filter(pk__in=[each.pk for each in events]):
        kept = events[event.payload["n"]]
        assert (event.pk, event.event_id, event.created_at) == (kept.pk, kept.event_id, kept.created_at)
        assert (event.tenant, event.seq, event.attempts) == (str(event.payload["n"]), None, 0)
