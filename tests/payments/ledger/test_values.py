"""Values that no ledger can hold are refused in words, before the database is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from payments.services import ledger
from payments.services.ledger import Event, InsufficientFunds, LedgerError, Line, Posting, Unbalanced, packing

GOOD = Posting(1, "charge", "c", (Line(1, -5), Line(2, 5)))


def lines(amount: Any) -> Any:
    return (Line(1, amount), Line(2, 5))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        *(({"lines": lines(bad)}, "amount must be") for bad in (True, -5.0, "-5", None, 2**63)),
        ({"lines": (Line(True, 5), Line(2, -5))}, "account_id must be"),
        ({"lines": (Line(1, pending=1.5),)}, "pending must be"),  # type: ignore[arg-type]
        ({"lines": (Line(1), Line(2))}, "must move something"),
        ({"lines": ()}, "1 to 32767 lines"),
        ({"lines": (Line(1, 1),) * 40_000}, "1 to 32767 lines"),
        ({"company_id": "1"}, "company_id must be"),
        ({"resolves": True}, "resolves must be"),
        ({"kind": ""}, "kind must be"),
        ({"kind": "k" * 41}, "kind must be"),
        ({"correlation_id": ""}, "correlation_id must be"),
        ({"correlation_id": "c" * 256}, "correlation_id must be"),
        ({"correlation_id": "a\0b"}, "correlation_id must be"),
        ({"correlation_id": 7}, "correlation_id must be"),
        ({"correlation_id": "\ud800"}, "correlation_id must be"),
        ({"events": (Event("", {}),)}, "topic must be"),
        ({"events": (Event("t", {"a": {1, 2}}),)}, "not JSON"),
        ({"events": (Event("t", {"a": float("nan")}),)}, "not JSON"),
        ({"events": (Event("t", {"a": "\0"}),)}, "NUL"),
        ({"events": (Event("t", {"a": "\ud800"}),)}, "not JSON"),
    ],
)
def test_refuses_in_words(fields: dict[str, Any], says: str) -> None:
    """No database mark: asking it would fail the test."""
    with pytest.raises(LedgerError, match=says):
        ledger.post(replace(GOOD, **fields))


def test_refuses_what_does_not_sum_to_zero() -> None:
    with pytest.raises(Unbalanced, match="sum to 1"):
        ledger.post(replace(GOOD, lines=(Line(1, -5), Line(2, 6))))


def test_nothing_is_posted_for_nothing() -> None:
    assert ledger.post() == []


def test_escapes_survive(books: Any) -> None:
    """A backslash before u0000 is not a NUL; quotes, braces and commas are text."""
    nasty = ['"', "\\", '\\"', "{a,b}", "NULL", "null", " a ", "\n\t", "\\u0000", "é😀", "'; --", "%s", "$1"]
    posted = ledger.post(*(books.paid(key, 1, events=(Event("t", {"k": key}),)) for key in nasty))
    assert not any(p.replayed for p in posted)
    assert all(p.replayed for p in ledger.post(*(books.paid(key, 1) for key in nasty)))
    from payments.models import LedgerTransaction
    from woovi.outbox.models import OutboxEvent

    assert list(LedgerTransaction.objects.order_by("id").values_list("correlation_id", flat=True)) == nasty
    assert [event.payload["k"] for event in OutboxEvent.objects.order_by("id")] == nasty


def test_a_balance_beyond_64_bits_is_refused(books: Any) -> None:
    ledger.post(books.paid("most", packing.LARGEST))
    with pytest.raises(LedgerError), transaction.atomic():
        ledger.post(books.paid("more", 1))
    with pytest.raises(InsufficientFunds), transaction.atomic():
        ledger.post(books.paid("out", -1), books.paid("all", -packing.LARGEST))
    assert books.balance() == (packing.LARGEST, 0)
