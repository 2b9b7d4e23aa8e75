"""Hold, then post all or part, or void. Once."""

from __future__ import annotations

import pytest
from django.db import transaction

from payments.services import ledger
from payments.services.ledger import HoldResolved, InsufficientFunds, LedgerError, Line, Posting
from tests.payments.ledger.conftest import Books


@pytest.fixture
def paid(books: Books) -> Books:
    ledger.post(books.paid("in", 1000))
    return books


def test_a_hold_takes_from_what_is_available(paid: Books) -> None:
    paid.hold("h", 600)
    assert paid.balance() == (1000, 600)
    with pytest.raises(InsufficientFunds), transaction.atomic():
        paid.hold("h2", 401)
    with pytest.raises(InsufficientFunds), transaction.atomic():
        ledger.post(paid.paid("out", -401))
    paid.hold("h3", 400)
    assert paid.balance() == (1000, 1000)


@pytest.mark.parametrize(("value", "left"), [(600, 400), (1, 999)])
def test_posting_all_or_part_releases_the_rest(paid: Books, value: int, left: int) -> None:
    hold = paid.hold("h", 600)
    ledger.post(ledger.post_hold(hold, "p", "refund.post", value, paid.clearing))
    assert paid.balance() == (left, 0)


def test_a_void_releases_all(paid: Books) -> None:
    ledger.post(ledger.void_hold(paid.hold("h", 600), "v", "refund.void"))
    assert paid.balance() == (1000, 0)


def test_no_more_than_was_held_is_posted(paid: Books) -> None:
    hold = paid.hold("h", 600)
    with pytest.raises(HoldResolved), transaction.atomic():
        ledger.post(ledger.post_hold(hold, "p", "refund.post", 601, paid.clearing))
    assert paid.balance() == (1000, 600)


def test_a_hold_is_resolved_once_and_its_resolution_replays(paid: Books) -> None:
    hold = paid.hold("h", 600)
    resolution = ledger.post_hold(hold, "p", "refund.post", 600, paid.clearing)
    ledger.post(resolution)
    for again in (
        ledger.post_hold(hold, "p2", "refund.post", 600, paid.clearing),
        ledger.void_hold(hold, "v", "refund.void"),
    ):
        with pytest.raises(HoldResolved), transaction.atomic():
            ledger.post(again)
    assert ledger.post(resolution)[0].replayed
    assert paid.balance() == (400, 0)


def test_two_resolutions_in_one_call(paid: Books) -> None:
    hold = paid.hold("h", 600)
    with pytest.raises(HoldResolved), transaction.atomic():
        ledger.post(*(ledger.void_hold(hold, key, "refund.void") for key in ("v1", "v2")))
    assert paid.balance() == (1000, 600)


def test_many_holds_are_resolved_in_one_call(paid: Books) -> None:
    holds = [paid.hold(f"h{n}", 100) for n in range(10)]
    resolved = [ledger.post_hold(h, f"p{h}", "refund.post", 60, paid.clearing) for h in holds[:5]]
    resolved += [ledger.void_hold(h, f"v{h}", "refund.void") for h in holds[5:]]
    ledger.post(*resolved)
    assert paid.balance() == (700, 0)


def test_money_comes_in_and_is_held_in_one_call(books: Books) -> None:
    ledger.post(books.paid("in", 100), ledger.hold(books.company.pk, "h", "refund", books.merchant, 100))
    assert books.balance() == (100, 100)


def test_only_a_hold_is_resolved(paid: Books) -> None:
    (plain,) = ledger.post(paid.paid("more", 5))
    for missing in (plain.transaction_id, 10**15):
        with pytest.raises(LedgerError, match="is no hold"):
            ledger.void_hold(missing, "v", "refund.void")
    lines = (Line(paid.merchant, pending=-5),)
    with pytest.raises(HoldResolved), transaction.atomic():
        ledger.post(Posting(paid.company.pk, "raw", "v", lines, resolves=plain.transaction_id))


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_a_hold_is_of_a_positive_whole_number(paid: Books, value: object) -> None:
    with pytest.raises(LedgerError, match="positive whole number"):
        ledger.hold(paid.company.pk, "h", "refund", paid.merchant, value)  # type: ignore[arg-type]
