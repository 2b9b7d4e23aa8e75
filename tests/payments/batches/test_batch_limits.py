"""A batch counts in its company's limits: each row, and all of them in the period of the approval or the retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from payments import checks
from payments.models import Company, PayoutBatch, TransferPeriod, User
from payments.services import batches
from payments.services.transfer_limits import LimitReached
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all

Make = Callable[[str], PayoutBatch]
DAY, NIGHT = datetime.fromisoformat("2026-03-02T14:00-03:00"), datetime.fromisoformat("2026-03-02T21:00-03:00")


def limit(company: Company, **most: int) -> None:
    Company.objects.filter(pk=company.pk).update(**most)


def used() -> list[int]:
    """Centavos counted in each period, the first first."""
    return list(TransferPeriod.objects.order_by("starts_at").values_list("used", flat=True))


def test_a_row_above_the_limit_of_one_payment_is_named_before_the_approval(shop: Company, uploaded: Make) -> None:
    limit(shop, payment_limit=150)
    batch = uploaded(csv_of(2) + "id-3;ana3@exemplo.com;1,51;\n")
    assert (batch.status, batch.problems) == ("DRAFT", 1)
    [problem] = batch.first_problems
    assert (problem.line, problem.column) == (4, "valor")
    assert problem.reason == "is more than the limit of one payment, R$\u00a01,50"


def test_a_limit_that_was_lowered_since_is_seen_at_the_approval(shop: Company, uploaded: Make, checker: User) -> None:
    batch = batches.submit(uploaded(csv_of(2)))
    limit(shop, payment_limit=99)
    with pytest.raises(LimitReached, match="line 2 is more than the limit of one payment, 99 centavos"):
        batches.approve(batch, checker, batch.signature)
    limit(shop, payment_limit=100, day_limit=199)
    with pytest.raises(LimitReached, match="time of day, 199 centavos"):
        batches.approve(batch, checker, batch.signature, DAY)
    batch.refresh_from_db()
    assert (batch.status, money(shop), used()) == ("AWAITING_APPROVAL", (999_500, 0), [])
    limit(shop, day_limit=200)
    assert batches.approve(batch, checker, batch.signature, DAY).status == "RUNNING"
    assert used() == [200]


def test_failed_rows_count_no_longer_and_a_retry_counts_when_it_is_asked_for(
    quick_bank: BankInProcess, shop: Company, uploaded: Make, checker: User
) -> None:
    batch = batches.submit(uploaded(csv_of(5, bad=2)))
    pay_all(batches.approve(batch, checker, batch.signature, DAY))
    assert used() == [300]
    limit(shop, night_limit=199)
    with pytest.raises(LimitReached):
        batches.retry(batch, 2, 200, NIGHT)
    limit(shop, night_limit=200)
    batches.retry(batch, 2, 200, NIGHT)
    assert used() == [300, 200]
    batch = pay_all(batch)
    assert (batch.status, used(), money(shop)) == ("PARTIAL", [300, 0], (999_200, 0))


def test_what_a_cancelled_batch_does_not_send_counts_no_longer(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(4))
    assert used() == [400]
    batches.cancel(batch)
    assert (used(), money(shop)) == ([0], (999_500, 0))
    assert [finding.name for finding in checks.run() if finding.count] == []


def test_the_books_agree_while_it_runs_and_once_it_is_over(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(5, bad=2))
    assert [finding.name for finding in checks.run() if finding.count] == []
    batch = pay_all(batch)
    batches.retry(batch, 2, 200)
    assert (sum(used()), [finding.name for finding in checks.run() if finding.count]) == (500, [])
