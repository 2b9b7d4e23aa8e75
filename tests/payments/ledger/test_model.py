"""Random sequences of operations against a ledger of a few lines of Python. After each: same balances, clean check."""

from __future__ import annotations

import hypothesis.strategies as st
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from payments import checks
from payments.services import ledger
from payments.services.ledger import HoldResolved, IdempotencyConflict, InsufficientFunds, LedgerError, Posting
from tests.payments.ledger.conftest import Books

values = st.integers(1, 100)
keys = st.integers(0, 7).map(str)
operations = st.one_of(
    st.tuples(st.just("paid"), keys, values | values.map(lambda v: -v)),
    st.tuples(st.just("hold"), keys, values),
    st.tuples(st.just("post"), keys, values),
    st.tuples(st.just("void"), keys, st.just(0)),
)


class Refused(Exception):
    """The model's word; its argument is the ledger's exception."""


class Model:
    def __init__(self) -> None:
        self.posted, self.pending = 0, 0
        self.done: dict[tuple[str, str], int] = {}  # key of an instruction -> its value
        self.holds: dict[str, int] = {}  # open ones
        self.held: dict[str, int] = {}  # all

    def apply(self, name: str, key: str, value: int) -> None:
        if name == "post" and value > self.held.get(key, value):
            raise Refused(HoldResolved)
        if (name, key) in self.done:
            if self.done[name, key] != value:
                raise Refused(IdempotencyConflict)
            return
        if name in {"post", "void"}:
            if key not in self.held:
                raise Refused(LedgerError)
            if key not in self.holds:
                raise Refused(HoldResolved)
            self.posted, self.pending = self.posted - value, self.pending - self.holds.pop(key)
        else:
            posted = self.posted + (value if name == "paid" else 0)
            pending = self.pending + (value if name == "hold" else 0)
            if posted < pending:
                raise Refused(InsufficientFunds)
            self.posted, self.pending = posted, pending
            if name == "hold":
                self.holds[key] = self.held[key] = value
        self.done[name, key] = value


def real(books: Books, ids: dict[str, int], name: str, key: str, value: int) -> Posting:
    if name == "paid":
        return books.paid(key, value)
    if name == "hold":
        return ledger.hold(books.company.pk, key, "hold", books.merchant, value)
    hold = ids.get(key, 10**15)
    if name == "post":
        return ledger.post_hold(hold, key, "post", value, books.clearing)
    return ledger.void_hold(hold, key, "void")


@given(st.lists(operations, max_size=25))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_does_what_the_model_does(db: None, operations: list[tuple[str, str, int]]) -> None:
    books, model, ids = Books(), Model(), {}
    for operation in operations:
        refused, expected = None, None
        try:
            model.apply(*operation)
        except Refused as error:
            expected = error.args[0]
        try:
            with transaction.atomic():
                (posted,) = ledger.post(real(books, ids, *operation))
            if operation[0] == "hold":
                ids[operation[1]] = posted.transaction_id
        except LedgerError as error:
            refused = type(error)
        assert refused == expected, operation
        assert books.balance() == (model.posted, model.pending)
    assert [finding for finding in checks.run() if finding.count] == []
