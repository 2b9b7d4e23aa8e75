"""A session plans the ledger's statements once, maybe while its tables hold a row or two: the plans must do for millions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction

import payments
from payments.services import ledger
from tests.payments.ledger.conftest import Books

MANY = 300
READ = """
SELECT sum(pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_returned(c.oid))::bigint
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE coalesce(i.indrelid, c.oid) IN ('payments_ledgertransaction'::regclass, 'payments_entry'::regclass)
"""
GUARDS = (Path(payments.__path__[0]) / "migrations/sql/ledger_guards.sql").read_text()
LOOK_UP = re.compile(r"LEFT JOIN LATERAL \(.*?OFFSET 0\s*\) t ON true", re.S)


def ask(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0]) if cursor.description else 0


@pytest.fixture
def young(transactional_db: None) -> Iterator[Books]:
    """A company's ledger in tables that are known to be all but empty, in a transaction that is rolled back."""
    with transaction.atomic():
        ask("SET LOCAL session_replication_role = replica; TRUNCATE payments_ledgertransaction, payments_entry CASCADE")
        ask("SET LOCAL session_replication_role = origin")
        books = Books()
        ledger.post(books.paid("first", 1_000_000))
        ask("ANALYZE payments_ledgertransaction, payments_entry; DISCARD PLANS")
        yield books
        transaction.set_rollback(True)


def read_by_a_large_posting(books: Books) -> int:
    """Rows and index entries, of `MANY` postings that come in one call, after a hold, which has a single line."""
    books.hold("single", 1)
    before = ask(READ)
    ledger.post(*(books.paid(f"c{n}", 1) for n in range(MANY)))
    return ask(READ) - before


def test_a_large_posting_reads_what_it_needs(young: Books) -> None:
    assert read_by_a_large_posting(young) < 10 * MANY


def test_control_a_join_that_the_planner_chose_for_an_empty_table_reads_it_whole_for_each(young: Books) -> None:
    function, joins = LOOK_UP.subn("LEFT JOIN payments_ledgertransaction t ON t.id = f.transaction_id", GUARDS)
    assert joins == 1
    begins = function.index("CREATE FUNCTION ledger_apply_entries")
    text = function[begins : function.index("END $$;", begins) + 7]
    ask(text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    assert read_by_a_large_posting(young) > MANY * MANY


def test_holds_and_replays_read_what_they_need(young: Books) -> None:
    ledger.post(ledger.void_hold(young.hold("single", 1), "single", "void"))
    ledger.post(young.paid("first", 1_000_000))
    before = ask(READ)
    holds = ledger.post(*(ledger.hold(young.company.pk, f"h{n}", "refund", young.merchant, 1) for n in range(MANY)))
    ledger.post(*(ledger.void_hold(each.transaction_id, f"v{n}", "void") for n, each in enumerate(holds)))
    ledger.post(*(ledger.hold(young.company.pk, f"h{n}", "refund", young.merchant, 1) for n in range(MANY)))
    assert ask(READ) - before < 60 * MANY
