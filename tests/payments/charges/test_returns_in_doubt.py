"""While the bank may still carry out a return, the merchant does not have its money back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import bank, checks
from payments.bank.port import (
    BankConflict,
    BankError,
    BankNotFound,
    BankRefused,
    BankReturn,
    BankUnavailable,
    BankUnknown,
    ReturnStatus,
    not_sent,
)
from payments.models import Account, Refund
from payments.services import instructions
from payments.services.charges import receiving, refunds, returning
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)


class SlowBank:
    """A bank that answers each request with the next of `answers`, and lists a return once it has carried it out."""

    def __init__(self) -> None:
        self.answers: list[BankError] = []
        self.listed: BankReturn | None = None
        self.looks_up: Callable[[], None] = lambda: None
        self.asked: tuple[str, int] | None = None

    def request_return(self, end_to_end_id: str, return_id: str, value: int, comment: str = "") -> BankReturn:
        self.asked = return_id, value
        raise self.answers.pop(0)

    def read_return(self, end_to_end_id: str, return_id: str) -> BankReturn:
        self.looks_up()
        if self.listed is None:
            raise BankNotFound("PixDevolucaoNaoEncontrada")
        return self.listed

    def carry_out(self) -> None:
        """Do what was asked for first."""
        assert self.asked
        self.listed = BankReturn(self.asked[0], "D1", self.asked[1], ReturnStatus.DONE)


@pytest.fixture
def slow_bank(monkeypatch: pytest.MonkeyPatch) -> SlowBank:
    made = SlowBank()
    monkeypatch.setattr(bank, "current", lambda: made)
    return made


@pytest.fixture
def refund() -> Refund:
    """A refund of 1,000 centavos by a company that has 5,950."""
    charge = making.charge(making.company(), 1000, expires_at=timezone.now() + timedelta(hours=1))
    receiving.receive(making.pix(charge, paid_at=timezone.now()))
    receiving.receive(making.pix(pix_key=charge.company.pix_key, value=5040))
    charge.refresh_from_db()
    return refunds.request(charge.company, charge, "devolucao-1")


def merchant(refund: Refund) -> tuple[int, int]:
    """Centavos posted, and held."""
    account = Account.objects.get(company=refund.company, kind="MERCHANT")
    return account.posted, account.pending_out


def send(refund: Refund, seconds: int = 0) -> str:
    """The refund's status after the bank was asked, so many seconds from now."""
    return returning.send(refund.pk, timezone.now() + timedelta(seconds=seconds)).status


def test_a_return_refused_while_the_first_request_is_under_way_keeps_its_hold(
    slow_bank: SlowBank, refund: Refund
) -> None:
    slow_bank.answers = [BankUnknown("ReadTimeout"), BankRefused("HTTP 422"), BankRefused("HTTP 422")]
    for seconds in (0, 5, 10):
        assert send(refund, seconds) == "IN_PROCESSING"
        assert merchant(refund)[1] == 1000

    slow_bank.carry_out()

    assert send(refund, 15) == "CONFIRMED"
    assert merchant(refund)[1] == 0
    assert [finding.name for finding in checks.run() if finding.count] == []


def test_control_without_the_wait_the_merchant_has_money_that_the_payer_got_too(
    slow_bank: SlowBank, refund: Refund, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "grace", lambda: timedelta(0))
    before = merchant(refund)[0]
    slow_bank.answers = [BankUnknown("ReadTimeout"), BankRefused("HTTP 422")]
    assert [send(refund), send(refund, 5)] == ["IN_PROCESSING", "REJECTED"]
    slow_bank.carry_out()
    assert (send(refund, 10), merchant(refund)) == ("REJECTED", (before, 0))


def test_a_refusal_is_final_once_the_first_request_cannot_be_carried_out_any_more(
    slow_bank: SlowBank, refund: Refund
) -> None:
    before = merchant(refund)[0]
    slow_bank.answers = [BankUnknown("ReadTimeout"), BankRefused("HTTP 422", "no")]
    assert [send(refund), send(refund, 120)] == ["IN_PROCESSING", "REJECTED"]
    assert merchant(refund) == (before, 0)
    assert [finding.name for finding in checks.run() if finding.count] == []


@pytest.mark.parametrize(
    "answers",
    [
        [BankRefused("HTTP 422")],
        [BankNotFound("PixNaoEncontrado")],
        [not_sent("ConnectError"), BankRefused("HTTP 422")],
        [BankUnavailable("HTTP 401"), BankRefused("HTTP 422")],
    ],
    ids=["refused", "no-such-pix", "never-left", "no-token"],
)
def test_a_refusal_of_the_only_request_is_final_at_once(
    slow_bank: SlowBank, refund: Refund, answers: list[BankError]
) -> None:
    slow_bank.answers = list(answers)
    seconds = range(0, 5 * len(answers), 5)
    assert [send(refund, each) for each in seconds][-1] == "REJECTED"


def test_a_conflict_may_be_of_the_same_request_sent_again_by_a_proxy(slow_bank: SlowBank, refund: Refund) -> None:
    slow_bank.answers = [BankConflict("HTTP 409")] * 3
    assert [send(refund), send(refund, 5), send(refund, 120)] == ["IN_PROCESSING", "IN_PROCESSING", "REJECTED"]


def test_a_bank_that_is_away_after_a_refusal_ends_nothing(slow_bank: SlowBank, refund: Refund) -> None:
    def away() -> None:
        raise BankUnavailable("HTTP 503")

    slow_bank.answers, slow_bank.looks_up = [BankRefused("HTTP 422")] * 2, away
    assert send(refund) == "IN_PROCESSING"
    slow_bank.looks_up = lambda: None
    assert send(refund, 5) == "IN_PROCESSING", "it may have been taken, since nobody could look"
    slow_bank.answers = [BankRefused("HTTP 422")]
    assert send(refund, 120) == "REJECTED"


def test_a_worker_killed_in_the_request_leaves_it_in_doubt(slow_bank: SlowBank, refund: Refund) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> BankReturn:
        raise Killed

    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(slow_bank, "request_return", killed)
        with pytest.raises(Killed):
            send(refund)
    slow_bank.answers = [BankRefused("HTTP 422")] * 2
    assert [send(refund, 5), send(refund, 120)] == ["IN_PROCESSING", "REJECTED"]
