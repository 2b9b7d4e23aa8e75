"""Correct a payment that ended differently here and at the bank: our books follow the bank's."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.bank.port import BankError, SendStatus
from payments.models import Account, Payment, PayoutBatch
from payments.services import debts, ledger, transfer_limits
from payments.services.errors import Invalid, Unavailable
from payments.services.instructions import look_up
from payments.services.ledger import Line, Posting
from payments.services.payments.outcomes import OTHER, event
from payments.services.payments.sending import pix_of

Status = Payment.Status


def correct(payment: Payment, now: datetime | None = None) -> Payment:
    """Ask the bank how a payment ended, and correct payment, batch and ledger. Must not be called in a transaction.

    Raises:
        Invalid: there is no contradiction, the payment is still under way or of another value at the bank, was corrected
            before, or its row was sent again since.
        Unavailable: the bank does not answer.
    """
    truth, end_to_end_id = _at_bank(payment)
    try:
        with transaction.atomic():
            # The batch before its payment, as whoever books its rows locks them.
            batches = PayoutBatch.objects.select_for_update(no_key=True, of=("self",))
            batch = batches.filter(payments=payment).first()
            row = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
            if row.contradicted_at is None:
                raise Invalid("The bank does not contradict this payment")
            if row.status != truth:
                if batch:
                    _count_again(batch, row, truth)
                row.end_to_end_id = end_to_end_id or row.end_to_end_id
                _correct(row, truth, now or timezone.now())
            row.contradicted_at = None
            row.save()
            return row
    except IntegrityError as error:  # of another round
        raise Invalid("The row of this payment is paid by another payment already") from error


def _at_bank(payment: Payment) -> tuple[Payment.Status, str]:
    """How the payment ended, and its end-to-end id."""
    try:
        answer = look_up(pix_of(payment))
    except BankError as error:
        raise Unavailable("The bank does not answer. Nothing was changed") from error
    if answer is None:
        return Status.FAILED, ""
    if answer.status == SendStatus.PROCESSING:
        raise Invalid("The payment is still under way at the bank")
    if answer.value != payment.value:
        raise Invalid("The bank has another value for this payment")
    return Status.CONFIRMED if answer.status == SendStatus.DONE else Status.FAILED, answer.end_to_end_id


def _correct(payment: Payment, truth: Payment.Status, now: datetime) -> None:
    """Move the money as the bank did. What the balance of the account that pays does not cover, the company owes (`debts`)."""
    if payment.correction_id:
        raise Invalid("This payment was corrected once before: the bank changes its mind, ask it")
    assert payment.approved_at
    paid = truth == Status.CONFIRMED
    payment.status, payment.resolved_at = truth, now
    payment.error_code, payment.reason = ("", "") if paid else (OTHER, "Corrected: the bank has not paid it")
    value = payment.value if paid else -payment.value
    transfer_limits.count(payment.company_id, value, payment.approved_at)
    accounts = ledger.accounts(payment.company_id)
    clearing, source = accounts[Account.Kind.CLEARING], payment.source_id or accounts[Account.Kind.MERCHANT]
    taken = max(min(value, debts.locked([clearing, source])[source].available), 0) if paid else value
    lines = [Line(clearing, value)]
    if taken:
        lines.append(Line(source, -taken))
    if taken != value:
        lines.append(Line(debts.receivable(payment.company_id), taken - value))
    posting = Posting(
        payment.company_id, "payment_correction", payment.public_id, tuple(lines), events=(event(payment),)
    )
    payment.correction_id = ledger.post(posting)[0].transaction_id


def _count_again(batch: PayoutBatch, payment: Payment, truth: Payment.Status) -> None:
    """Count the payment in its batch, which the caller has locked, as it ended in truth."""
    if Payment.objects.filter(batch=batch, line=payment.line, round__gt=payment.round or 0).exists():
        raise Invalid("The row of this payment was sent again in a later round")
    more = 1 if truth == Status.CONFIRMED else -1
    batch.confirmed += more
    if payment.round == batch.round:
        batch.failed -= more
    if batch.status in {PayoutBatch.Status.DONE, PayoutBatch.Status.PARTIAL}:
        done = batch.confirmed == batch.rows
        batch.status = PayoutBatch.Status.DONE if done else PayoutBatch.Status.PARTIAL
    batch.save(update_fields=["confirmed", "failed", "status"])
