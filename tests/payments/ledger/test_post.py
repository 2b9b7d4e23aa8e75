"""Posting: idempotency, balances, events, and what is refused."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from payments.models import Entry, LedgerTransaction
from payments.services import ledger
from payments.services.ledger import Event, IdempotencyConflict, InsufficientFunds, Line, Posted, Posting
from tests.payments.ledger.conftest import Books
from woovi.outbox.models import OutboxEvent


def facts() -> tuple[list[int], list[int], list[int]]:
    return tuple(sorted(m.objects.values_list("pk", flat=True)) for m in (LedgerTransaction, Entry, OutboxEvent))  # type: ignore[attr-defined,return-value]


def test_writes_transaction_entries_balances_and_events(books: Books) -> None:
    payload = {"charge": {"correlationID": 'quo"te\\ é \n', "value": 1000}, "none": None}
    posting = Posting(
        books.company.pk,
        "charge",
        'c "1" \\ {,} é',
        (Line(books.clearing, -1000), Line(books.merchant, 950), Line(books.fees, 50)),
        events=(Event("charge.updated", payload), Event("second", {})),
    )
    (posted,) = ledger.post(posting)
    row = LedgerTransaction.objects.get(pk=posted.transaction_id)
    assert (row.kind, row.correlation_id, row.company_id) == ("charge", posting.correlation_id, books.company.pk)
    assert list(row.entries.order_by("line").values_list("line", "account_id", "amount", "pending")) == [
        (1, books.clearing, -1000, 0),
        (2, books.merchant, 950, 0),
        (3, books.fees, 50, 0),
    ]
    assert [books.balance(a)[0] for a in (books.clearing, books.merchant, books.fees)] == [-1000, 950, 50]
    first, second = OutboxEvent.objects.order_by("id")
    assert (first.topic, first.payload, first.tenant) == ("charge.updated", payload, str(books.company.pk))
    assert (second.topic, second.payload, second.relayed_at, second.attempts) == ("second", {}, None, 0)


def test_replay_gives_the_first_answer_and_writes_nothing(books: Books) -> None:
    posting = books.paid("c", 100, events=(Event("t", {}),))
    (first,) = ledger.post(posting)
    before = facts()
    assert ledger.post(posting) == [Posted(first.transaction_id, replayed=True)]
    assert facts() == before
    assert books.balance() == (100, 0)


def test_another_instruction_under_a_used_key_is_refused_whole(books: Books) -> None:
    ledger.post(books.paid("c", 100))
    before = facts()
    with pytest.raises(IdempotencyConflict), transaction.atomic():
        ledger.post(books.paid("new", 5), books.paid("c", 101))
    assert facts() == before


def test_the_order_of_lines_and_the_events_are_not_the_instruction(books: Books) -> None:
    posting = books.paid("c", 100, events=(Event("t", {"at": 1}),))
    ledger.post(posting)
    turned = Posting(posting.company_id, posting.kind, posting.correlation_id, posting.lines[::-1])
    assert ledger.post(turned)[0].replayed


def test_a_key_is_the_companys_and_the_kinds_own(books: Books) -> None:
    other = Books()
    kind = Posting(books.company.pk, "another", "c", books.paid("c", 1).lines)
    assert not any(p.replayed for p in ledger.post(books.paid("c", 1), other.paid("c", 2), kind))


def test_the_same_key_twice_in_one_call(books: Books) -> None:
    one, again, new = ledger.post(books.paid("c", 7), books.paid("c", 7), books.paid("d", 1))
    assert again == Posted(one.transaction_id, replayed=True)
    assert not one.replayed
    assert not new.replayed
    assert books.balance() == (8, 0)
    with pytest.raises(IdempotencyConflict), transaction.atomic():
        ledger.post(books.paid("e", 1), books.paid("e", 2))


def test_answers_come_in_order_whatever_the_keys(books: Books) -> None:
    keys = ["z", "a", "m", "B", "é", "0"]
    posted = ledger.post(*(books.paid(key, 1) for key in keys))
    stored = LedgerTransaction.objects.in_bulk()
    assert [stored[p.transaction_id].correlation_id for p in posted] == keys


def test_five_thousand_are_one_round_trip(books: Books) -> None:
    ledger.post(books.paid("prepares the statement", 1))
    assert count_statements(lambda: ledger.post(*(books.paid(str(n), 1) for n in range(5000)))) == 1
    assert count_statements(lambda: books.balance()) == 1
    assert books.balance() == (5001, 0)


def count_statements(call: Callable[[], object]) -> int:
    """Messages that run something which `call` sends to the server, from libpq's own trace of the connection."""
    with tempfile.TemporaryFile("w+") as file:
        server = connection.connection.pgconn
        server.trace(file.fileno())
        call()
        server.untrace()
        file.seek(0)
        return len(re.findall(r"^(?:.*\t)?F\t\d+\t(?:Query|Execute)\b", file.read(), re.MULTILINE))


def test_nothing_is_done_for_an_overdraft(books: Books) -> None:
    ledger.post(books.paid("in", 100))
    before = facts()
    with pytest.raises(InsufficientFunds), transaction.atomic():
        ledger.post(books.paid("small", -1), books.paid("out", -100))
    assert facts() == before
    assert books.balance() == (100, 0)


def test_a_call_is_judged_as_a_whole(books: Books) -> None:
    ledger.post(books.paid("out", -40), books.paid("in", 40))
    assert books.balance() == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_aborts_the_callers_transaction_unless_wrapped() -> None:
    books = Books()
    with transaction.atomic():
        with pytest.raises(InsufficientFunds), transaction.atomic():
            ledger.post(books.paid("out", -1))
        ledger.post(books.paid("in", 1))
    assert books.balance() == (1, 0)
    with transaction.atomic():
        with pytest.raises(InsufficientFunds):
            ledger.post(books.paid("out", -2))
        with pytest.raises(transaction.TransactionManagementError):
            ledger.post(books.paid("in", 2))
    assert books.balance() == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_rolls_back_with_its_caller() -> None:
    books = Books()
    with transaction.atomic():
        ledger.post(books.paid("in", 1, events=(Event("t", {}),)))
        transaction.set_rollback(True)
    assert facts() == ([], [], [])
    assert not ledger.post(books.paid("in", 1))[0].replayed


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_an_operational_error_and_the_next_call_works() -> None:
    books = Books()
    ledger.post(books.paid("in", 1))
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    with pytest.raises(OperationalError):
        ledger.post(books.paid("lost", 1))
    connection.close_if_unusable_or_obsolete()
    assert not ledger.post(books.paid("lost", 1))[0].replayed
