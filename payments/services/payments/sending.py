"""Send approved payments by the bank, and ask it about those whose end is not known. `carrying_out` says how."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from payments import bank
from payments.bank.port import (
    BankAccount,
    BankConflict,
    BankError,
    BankNotFound,
    BankRefused,
    BankSent,
    BankUnknown,
    Debtor,
    SendOrder,
    SendStatus,
)
from payments.models import Payment
from payments.services import frozen
from payments.services.carrying_out import ask_in_turn, carry_out
from payments.services.errors import Unavailable
from payments.services.instructions import Instruction, look_up
from payments.services.payments.outcomes import book, contradict
from woovi import database

CHECK_AFTER = timedelta(seconds=2)  # until the bank is asked about an open payment again
# Seconds to wait before each look at a payment that the bank is carrying out: 0.3, 0.6, 1.2 and 2.4 after it was sent. Most
# have ended by then; `check_open` has the rest. A bank tells us nothing of what we send, so there is no callback to wait for.
LOOKS = (0.3, 0.3, 0.6, 1.2)
Status = Payment.Status


class PixOut(Instruction[BankSent]):
    """A Pix to send. To an id that is new to the bank it has no reason to say 404, so that is `unclear` too."""

    unclear = (BankConflict, BankNotFound)

    def __init__(self, order: SendOrder) -> None:
        self._order = order

    def read(self) -> BankSent:
        return bank.current().read_sent(self._order.send_id)

    def request(self) -> BankSent:
        return bank.current().send_pix(self._order)

    def refused(self, error: BankRefused) -> BankSent:
        order = self._order
        return BankSent(order.send_id, "", order.value, SendStatus.REFUSED, f"{error.code} - {error.detail}")


def send(payment_id: int, now: datetime | None = None) -> Payment:
    """Ask the bank to pay, and book its answer. Without one the payment stays open for `check_open`."""
    now = now or database.now()
    try:
        carry_out(Payment, payment_id, now, pix_of, book, _may_be_sent, status=Status.PROCESSING)
    except BankUnknown:
        Payment.objects.filter(pk=payment_id, status__in=Payment.OPEN, unknown_since=None).update(unknown_since=now)
    except BankError:
        pass  # nothing has happened at the bank
    return Payment.objects.get(pk=payment_id)


def next_look(payment: Payment, look: int) -> float | None:
    """Seconds until the bank is to be asked about it again, after `look` looks. None where that is left to `check_open`.

    The look is counted, not computed from the time it was sent, so that workers' clocks need not agree. Where the bank has not
    answered, or could not be reached at all, it is not asked more often than others.
    """
    at_bank = payment.status == Status.PROCESSING and payment.sent_at is not None and payment.unknown_since is None
    return LOOKS[look] if at_bank and look < len(LOOKS) else None


def _may_be_sent(payment: Payment) -> bool:
    """Unless it waits for its company's release."""
    return not frozen.holds_back(payment.company_id)


def pix_of(payment: Payment) -> PixOut:
    """What the bank is asked for."""
    account = payment.account and _account(payment)
    # With a code or an account, the key is left out: it would be a second receiver.
    key = payment.pix_key if payment.type == Payment.Type.PIX_KEY else ""
    order = SendOrder(
        payment.public_id,
        payment.value,
        pix_key=key,
        br_code=payment.qr_code,
        account=account or None,
        payer_message=payment.comment,
        end_to_end_id=payment.end_to_end_id,
    )
    return PixOut(order)


def _account(payment: Payment) -> BankAccount:
    given = payment.account or {}
    account, holder = given["account"], given["holder"]
    return BankAccount(
        ispb=given["psp"]["id"],
        branch=account["branch"],
        number=account["account"],
        type=account["accountType"],
        holder=Debtor(holder["taxID"]["taxID"], holder["name"]),
    )


def check_open(now: datetime | None = None) -> int:
    """Ask the bank about open payments that are in no batch, least recently asked first. Returns how many were tried."""
    now = now or database.now()
    due = Payment.objects.filter(batch=None, status__in=Payment.OPEN, approved_at__lt=now - CHECK_AFTER)
    due = due.exclude(asked_at=None, company__payments_frozen=True)  # they would be first, again and again
    return ask_in_turn(due, CHECK_AFTER, send, now, "check_payments")


def ask(payment: Payment, now: datetime | None = None) -> Payment:
    """Ask the bank about one payment, now. Where it ended another way than here, `check_ledger` names it from then on.

    Raises Unavailable where the bank does not answer.
    """
    if payment.status in Payment.OPEN:
        return send(payment.pk, now)
    if payment.status in {Status.CONFIRMED, Status.FAILED}:
        try:
            answer = look_up(pix_of(payment))
        except BankError as error:
            raise Unavailable("The bank does not answer. Try again") from error
        contradict(payment, answer, now or timezone.now())
        payment.refresh_from_db()
    return payment
