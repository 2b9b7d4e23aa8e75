"""Who may do what to a batch, and what it reserves meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from payments import checks
from payments.models import Company, PayoutBatch, PayoutRow, User
from payments.services import batches
from payments.services.batches import importing
from payments.services.errors import Invalid, TooMany
from tests.payments import making
from tests.payments.batches.conftest import BankInProcess, csv_of, money, pay_all

Make = Callable[[str], PayoutBatch]


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def test_the_way_of_a_batch(quick_bank: BankInProcess, shop: Company, uploaded: Make, checker: User) -> None:
    batch = uploaded(csv_of(5))
    assert (batch.status, money(shop)) == ("VALIDATED", (999_500, 0))
    batch = batches.submit(batch)
    batch = batches.approve(batch, checker, batch.signature)
    assert (batch.status, money(shop)) == ("RUNNING", (999_500, 500))
    assert differing() == []

    batch = pay_all(batch)

    assert (batch.status, batch.confirmed, batch.failed) == ("DONE", 5, 0)
    assert (money(shop), quick_bank.paid, quick_bank.calls) == ((999_000, 0), 500, 5)
    assert differing() == []


def test_who_uploaded_does_not_approve(uploaded: Make, maker: User) -> None:
    batch = batches.submit(uploaded(csv_of(1)))
    with pytest.raises(Invalid, match="uploaded"):
        batches.approve(batch, maker, batch.signature)
    with pytest.raises(IntegrityError), transaction.atomic():
        PayoutBatch.objects.filter(pk=batch.pk).update(approver=maker)


def test_nobody_of_another_company_approves_and_no_operator(uploaded: Make) -> None:
    batch = batches.submit(uploaded(csv_of(1)))
    for company in (making.company(), None):
        stranger = User.objects.create_user(f"{company}@example.com".replace(" ", ""), company=company)
        with pytest.raises(Invalid, match="another company"):
            batches.approve(batch, stranger, batch.signature)


def test_what_is_approved_is_what_was_shown(uploaded: Make, checker: User) -> None:
    shown, other = uploaded(csv_of(1)), batches.submit(uploaded(csv_of(2, first=5)))
    with pytest.raises(Invalid, match="not the one"):
        batches.approve(other, checker, shown.signature)


def test_rows_that_were_changed_after_the_approval_are_not_paid(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(3))
    PayoutRow.objects.filter(batch=batch, line=3).update(pix_key="thief@exemplo.com")
    batch = pay_all(batch)
    assert (batch.status, quick_bank.calls) == ("PAUSED", 0)
    assert "changed" in batch.pause_reason


def sign_again(batch: PayoutBatch) -> None:
    """What somebody who can write to the database would do next."""
    lines = batch.lines.order_by("line").values_list("line", "reference", "pix_key", "value", "comment")
    batch.chunks.update(digest=importing.digest_of(importing.Row(*row) for row in lines))


@pytest.mark.parametrize("as_well", [lambda batch: None, sign_again], ids=["rows", "rows and digests"])
def test_rows_that_were_changed_before_the_approval_are_not_approved(
    uploaded: Make, checker: User, as_well: Callable[[PayoutBatch], None]
) -> None:
    batch = batches.submit(uploaded(csv_of(3)))
    PayoutRow.objects.filter(batch=batch, line=3).update(pix_key="thief@exemplo.com")
    as_well(batch)
    with pytest.raises(Invalid, match="not the one"):
        batches.approve(batch, checker, batch.signature)


def test_rows_that_were_changed_with_their_digest_are_not_paid(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = approved(csv_of(3))
    PayoutRow.objects.filter(batch=batch, line=3).update(pix_key="thief@exemplo.com")
    sign_again(batch)
    assert (pay_all(batch).status, quick_bank.calls) == ("PAUSED", 0)


def test_more_than_the_balance_is_not_approved(shop: Company, uploaded: Make, checker: User) -> None:
    text = csv_of(1).replace("1,00", "9.995,01")
    batch = batches.submit(uploaded(text))
    with pytest.raises(Invalid, match="balance"):
        batches.approve(batch, checker, batch.signature)
    batch.refresh_from_db()
    assert (batch.status, batch.approver_id, money(shop)) == ("AWAITING_APPROVAL", None, (999_500, 0))


def test_a_batch_that_is_paused_waits_and_goes_on(quick_bank: BankInProcess, shop: Company, approved: Make) -> None:
    batch = batches.pause(approved(csv_of(3)))
    assert (pay_all(batch).status, quick_bank.calls) == ("PAUSED", 0)
    assert (pay_all(batches.resume(batch)).status, quick_bank.calls) == ("DONE", 3)


def test_a_batch_that_is_cancelled_pays_nothing_and_reserves_nothing(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = batches.cancel(approved(csv_of(3)))
    assert (pay_all(batch).status, quick_bank.calls, money(shop)) == ("CANCELLED", 0, (999_500, 0))
    assert differing() == []
    with pytest.raises(Invalid):
        batches.resume(batch)


def test_only_failed_rows_are_paid_again_after_they_were_shown(
    quick_bank: BankInProcess, shop: Company, approved: Make
) -> None:
    batch = pay_all(approved(csv_of(5, bad=2)))
    assert (batch.status, batch.confirmed, batch.failed) == ("PARTIAL", 3, 2)
    assert money(shop) == (999_200, 0)
    assert batches.failed_rows(batch) == (2, 200)
    with pytest.raises(Invalid, match="not those"):
        batches.retry(batch, 2, 201)
    bad, quick_bank.before = list(quick_bank.sent), lambda order: None
    paid_before = quick_bank.calls

    batch = batches.retry(batch, 2, 200)
    assert money(shop) == (999_200, 200)
    batch = pay_all(batch)

    assert quick_bank.calls - paid_before == 2
    assert len(set(quick_bank.sent) - set(bad)) == 2, "under new ids: a failed payment is final"
    assert (batch.status, batch.round, batch.failed, money(shop)) == ("PARTIAL", 2, 2, (999_200, 0))
    assert differing() == []


def test_the_export_is_the_same_each_time(quick_bank: BankInProcess, approved: Make) -> None:
    batch = pay_all(approved(csv_of(3, bad=1)))
    text = "".join(batches.export(batch))
    assert text == "".join(batches.export(batch))
    lines = text.splitlines()
    assert lines[0].startswith("line,reference,pix_key,value,status")
    assert [line.split(",")[4] for line in lines[1:]] == ["CONFIRMED", "CONFIRMED", "FAILED"]
    assert lines[3].split(",")[6:8] == ["PIX_OUT_NOT_AUTHORIZED", "AC06 - no"]


def test_a_company_without_tokens_for_look_ups_approves_no_batch(
    shop: Company, uploaded: Make, checker: User, use_up_tokens: Callable[[Company], None]
) -> None:
    batch = batches.submit(uploaded(csv_of(2)))
    use_up_tokens(shop)
    with pytest.raises(TooMany, match=r"^20 tokens .* are needed, \d+ are there, all at \d\d:\d\d:\d\d$") as refusal:
        batches.approve(batch, checker, batch.signature)
    assert refusal.value.retry_after > 0
    assert (PayoutBatch.objects.get().status, money(shop)) == ("AWAITING_APPROVAL", (999_500, 0))
