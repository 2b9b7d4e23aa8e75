"""A payment that ended otherwise at the bank is corrected: money, batch, limit and state follow the bank."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from payments import bank, checks
from payments.bank.port import BankNotFound, BankSent, BankUnavailable, SendStatus
from payments.models import Account, Company, Payment, PayoutBatch, Subaccount, TransferPeriod, User
from payments.services import batches, ledger, payments, subaccounts
from payments.services.errors import Invalid, Unavailable
from payments.services.ledger import Line, Posting
from payments.services.payments import outcomes
from tests.payments import making
from tests.payments.batches.conftest import BankInProcess, csv_of, pay_all, quick_bank  # noqa: F401
from tests.payments.payments.conftest import money
from woovi.outbox.models import OutboxEvent

Ended = Callable[[str], Payment]
DONE, REFUSED = SendStatus.DONE, SendStatus.REFUSED


class Says:
    """A bank that says of every payment what it is told to say."""

    answer: Any = None

    def read_sent(self, send_id: str) -> BankSent:
        if isinstance(self.answer, Exception):
            raise self.answer
        return BankSent(send_id, "E" * 32, 400, self.answer)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Says:
    made = Says()
    monkeypatch.setattr(bank, "current", lambda: made)
    return made


@pytest.fixture
def ended(says: Says, approved: Callable[..., Payment]) -> Ended:
    """A payment of 400 that has ended here in a way that the bank has contradicted."""

    def end(status: SendStatus) -> Payment:
        says.answer = BankUnavailable("ConnectError")
        payment = approved()
        outcomes.book(payment, BankSent(payment.public_id, "", 400, status, "AC06 - no"), timezone.now())
        says.answer = DONE if status == REFUSED else BankNotFound("PixEnvioNaoEncontrado")
        payments.ask(payment)
        assert payment.contradicted_at
        return payment

    return end


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def test_what_the_bank_has_paid_after_all_leaves_the_balance(shop: Company, ended: Ended) -> None:
    payment = payments.correct(ended(REFUSED))
    assert (payment.status, payment.contradicted_at, payment.error_code, payment.reason) == ("CONFIRMED", None, "", "")
    assert (money(shop), making.balances(shop)["CLEARING"]) == ((9_920 - 400, 0), -9_600)
    assert (TransferPeriod.objects.get().used, differing()) == (400, [])
    told = OutboxEvent.objects.filter(topic__contains="MOVEMENT").order_by("id").values_list("topic", flat=True)
    assert list(told) == ["OPENPIX:MOVEMENT_FAILED", "OPENPIX:MOVEMENT_CONFIRMED"]


def test_what_the_bank_has_never_paid_is_the_companys_again(shop: Company, ended: Ended) -> None:
    payment = payments.correct(ended(DONE))
    assert (payment.status, payment.error_code) == ("FAILED", "PAY_PIX_KEY_ERROR")
    assert (money(shop), making.balances(shop)["CLEARING"]) == ((9_920, 0), -10_000)
    assert (TransferPeriod.objects.get().used, differing()) == (0, [])


def test_what_the_balance_does_not_cover_is_owed(shop: Company, ended: Ended) -> None:
    payment = ended(REFUSED)
    accounts = ledger.accounts(shop.pk)
    lines = (Line(accounts[Account.Kind.MERCHANT], -9_820), Line(accounts[Account.Kind.CLEARING], 9_820))
    ledger.post(Posting(shop.pk, "test", "spent", lines))
    payments.correct(payment)
    assert (money(shop)[0], making.balances(shop)["RECEIVABLE"]) == (0, -300)
    assert differing() == []


def test_a_sub_accounts_withdrawal_is_corrected_in_it(shop: Company, says: Says) -> None:
    account = Account.objects.create(company=shop, kind="SUBACCOUNT", is_default=False)
    Subaccount.objects.create(company=shop, pix_key="ana@exemplo.com", name="Ana", account=account)
    subaccounts.credit(shop, "ana@exemplo.com", 400)
    before = making.balances(shop)["MERCHANT"]
    payment = subaccounts.withdraw(shop, "ana@exemplo.com")
    outcomes.book(payment, BankSent(payment.public_id, "", 400, REFUSED, "AC06 - no"), timezone.now())
    says.answer = DONE
    payments.ask(payment)
    assert payments.correct(payment).status == "CONFIRMED"
    assert (making.balances(shop)["MERCHANT"], making.balances(shop)["SUBACCOUNT"]) == (before, 0)
    assert differing() == []


def test_it_is_corrected_once(shop: Company, says: Says, ended: Ended) -> None:
    payment = payments.correct(ended(REFUSED))
    with pytest.raises(Invalid, match="does not contradict"):
        payments.correct(payment)
    says.answer = REFUSED
    payments.ask(payment)
    with pytest.raises(Invalid, match="corrected once before"):
        payments.correct(payment)
    assert money(shop) == (9_520, 0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(SendStatus.PROCESSING, Invalid), (BankUnavailable("HTTP 503"), Unavailable)],
    ids=["under way", "away"],
)
def test_without_an_end_at_the_bank_nothing_is_corrected(
    shop: Company, says: Says, ended: Ended, answer: Any, error: type[Exception]
) -> None:
    payment = ended(REFUSED)
    says.answer = answer
    with pytest.raises(error):
        payments.correct(payment)
    assert (money(shop), Payment.objects.get().status) == ((9_920, 0), "FAILED")


def test_a_contradiction_that_is_over_is_closed(shop: Company, says: Says, ended: Ended) -> None:
    payment = ended(REFUSED)
    says.answer = REFUSED
    assert payments.correct(payment).contradicted_at is None
    assert (money(shop), differing()) == ((9_920, 0), [])


@pytest.fixture
def over(quick_bank: BankInProcess, shop: Company) -> PayoutBatch:  # noqa: F811
    """A batch of two rows, of which one has failed here, though the bank has paid it."""
    maker, checker = (User.objects.create_user(f"{name}@example.com", company=shop) for name in ("maker", "checker"))
    batch = batches.submit(batches.upload(shop, maker, "a.csv", io.BytesIO(csv_of(2, bad=1).encode())))
    batch = pay_all(batches.approve(batch, checker, batch.signature))
    row = Payment.objects.get(status="FAILED")
    quick_bank.sent[row.public_id] = BankSent(row.public_id, "E" * 32, 100, DONE)
    batches.ask(row)
    return batch


def test_a_batch_counts_again(shop: Company, over: PayoutBatch) -> None:
    assert (over.status, over.confirmed, over.failed) == ("PARTIAL", 1, 1)
    payments.correct(Payment.objects.get(status="FAILED"))
    over.refresh_from_db()
    assert (over.status, over.confirmed, over.failed, money(shop)) == ("DONE", 2, 0, (9_720, 0))
    assert differing() == []


def test_a_row_that_was_sent_again_is_not_corrected(
    quick_bank: BankInProcess,  # noqa: F811
    shop: Company,
    over: PayoutBatch,
) -> None:
    first = Payment.objects.get(status="FAILED")
    pay_all(batches.retry(over, 1, 100))
    with pytest.raises(Invalid, match="sent again in a later round"):
        payments.correct(first)
    assert money(shop) == (9_820, 0)
