"""Rows are locked by `woovi.locks`. Where the database's own locks are right instead, this list says why."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

SIMULATOR = "the simulated bank is a program of its own, with books of its own and no room of ours"
ALLOWED = {
    "payments/services/charges/receiving.py::": "money that comes in waits for no Redis; one short transaction, "
    "and only a second Pix of the same charge ever waits",
    "payments/migrations/sql/ledger_post.sql": "the ledger's own: one call, one order, inside the database",
    "payments/services/charges/expiring.py::expire_due": "a queue: each takes what is free (SKIP LOCKED), nobody waits",
    "payments/services/webhooks/deliveries.py::sweep": "a queue, as above",
    "payments/services/retention.py::_batches": "a queue, as above: what somebody holds is forgotten by the next run",
    "payments/services/customers.py::change": "no money: one row of a merchant's, one short transaction",
    "payments/services/companies.py::update_terms": "settings, no money: an operator's form, one short transaction",
    "payments/services/own_keys.py::_marked_removed": "settings, no money: as `make_default`, one short transaction",
    "payments/services/own_keys.py::make_default": "settings, no money: which key new charges have, one short transaction",
    "payments/services/accounts.py::open_another": "no money: a company's accounts are counted and one is added, one short transaction",
    "payments/services/applications.py::_read_again": "rights, no money: a person's form, one short transaction",
    "payments/services/people.py::_alone": "settings, no money: a company's owners change its people, one short transaction",
    "payments/services/second_factor.py::switch_on": "settings, no money: a person's form, one short transaction",
    "payments/services/webhooks/endpoints.py::create": "settings, no money: endpoints are counted and one is added, one short "
    "transaction",
    "payments/services/debts.py::locked": "the ledger's own accounts, in its own order, for a posting that depends on them",
    "payments/services/charges/refunds.py::request_loose": "a Pix without charge is a fact without a fence, as below; one short transaction",
    "payments/services/charges/bank_returns.py::debit": "a Pix is a fact without a fence; what is left of it in suspense is taken by "
    "one at a time, inside the transaction of the refund that is locked",
    "payments/services/reconciliation/suspense.py::retry": "the same Pix: an operator's click, one short transaction",
    "payments/services/reconciliation/suspense.py::credit": "as above",
    "payments/services/reconciliation/contradictions.py::_correct": "the same Pix, inside the transaction of the refund that is locked",
    "payments/services/payments/correcting.py::correct": "a payment that has ended, under its batch's lock: an operator's click, one "
    "short transaction",
    "payments/services/batches/lifecycle.py::locked": "a person's click, one short transaction; workers that book wait for it",
    "payments/services/batches/settling.py::settle": "workers of one batch take turns to replace its hold, some milliseconds each; "
    "who may pay a chunk is its lease's token",
    "payments/services/batches/leases.py::": "whose turn it is: one claim at a time, some milliseconds",
    "payments/services/references.py::": "whether a reference is used, which no index can say: a company's uploads and approvals "
    "one at a time, beside the creation of single payments; no bank is asked meanwhile",
    "bank_simulator/books.py::revise": SIMULATOR,
    "bank_simulator/outgoing.py::request_return": SIMULATOR,
}
ROOTS = ("payments", "realtime", "bank_simulator")
SQL = re.compile(r"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bFOR\s+(KEY\s+)?SHARE\b|\bLOCK\s+TABLE\b|\bpg_\w*advisory\w*", re.I)


def found(source: str) -> set[str]:
    """The functions ("" for a module itself) that lock rows in the database's own ways."""
    names: set[str] = set()

    def look(node: ast.AST, name: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = node.name
        if isinstance(node, ast.Attribute) and node.attr == "select_for_update":
            names.add(name)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
            names.add(name)
        for child in ast.iter_child_nodes(node):
            look(child, name)

    look(ast.parse(source), "")
    return names


def everywhere() -> set[str]:
    places = set()
    for root in ROOTS:
        folder = Path(settings.BASE_DIR) / root
        for path in folder.rglob("*.py"):
            places |= {f"{path.relative_to(settings.BASE_DIR)}::{name}" for name in found(path.read_text())}
        for path in folder.rglob("*.sql"):
            code = re.sub(r"--.*", "", path.read_text())
            if SQL.search(code):
                places.add(str(path.relative_to(settings.BASE_DIR)))
    return places


def test_the_databases_own_row_locks_are_where_the_list_says_why() -> None:
    assert everywhere() == set(ALLOWED), "use lock_for_update or lock_rows (docs/locks.md), or say here why not"


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return Account.objects.select_for_update().get()",
        "async def f(): await cursor.execute('SELECT 1 FROM t WHERE id = 1 FOR NO KEY UPDATE')",
        "def f(): run(f'SELECT {x} FROM t\\n for update skip locked')",
        "def f(): run('SELECT pg_advisory_xact_lock(1)')",
    ],
)
def test_control_one_that_is_not_listed_is_found(source: str) -> None:
    assert found(source) == {"f"}
