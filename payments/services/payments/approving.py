"""Approve a payment, which holds its money and starts its way to the bank; or deny or remove it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from payments import contract
from payments.models import Account, Company, Payment, Subaccount, User
from payments.pix import ids
from payments.services import frozen, ledger, pix_key_tokens, transfer_limits
from payments.services.errors import Invalid, NotFound, Unavailable
from woovi import outbox
from woovi.locks import LockNotAvailable, StaleFence

Status = Payment.Status
# Woovi's words for a payment that does not wait for an approval.
CONFIRMED = "Payment already confirmed"
DECIDED = {Status.DENIED: "Payment denied", Status.REMOVED: "Payment not found"}


def approve(
    company: Company, correlation_id: str, now: datetime | None = None, *, approver: User | None = None
) -> Payment:
    """Hold the payment's value and let a worker send it.

    Args:
        approver: the person who approves it; None for a program of the company.

    Raises:
        NotFound: the company has no such payment.
        Invalid: the company's payments are frozen; it was approved, denied or removed before; or it is above a limit
            (LimitReached) or the balance, or the approver made it or belongs to another company, and then it stays CREATED.
        Unavailable: another process has its lock. The same request may be sent again.
    """
    frozen.refuse(company, "payments")
    alone = Payment.objects.filter(company=company, batch=None, correlation_id=correlation_id)
    found = alone.values_list("pk", flat=True).first()
    if found is None:
        raise NotFound("Payment not found", "correlationID")
    try:
        now = now or timezone.now()
        with Payment.objects.lock_for_update(pk=found) as locked:
            approved = _approve(locked.row, now, approver)
    except ledger.InsufficientFunds as error:
        raise Invalid("You do not have enough balance to make this payment", "value") from error
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable("Somebody else is at this payment. Send the same request again") from error
    if approved.type == Payment.Type.PIX_KEY and pix_key_tokens.was_looked_up(company, approved.pix_key, now):
        pix_key_tokens.reward(company, approved.pix_key, approved.end_to_end_id)
    return approved


def _approve(payment: Payment, now: datetime, approver: User | None) -> Payment:
    _refuse_unless_created(payment)
    if approver and approver.pk == payment.maker_id:
        raise Invalid("Who made a payment does not approve it")
    if approver and approver.company_id != payment.company_id:
        raise Invalid("The approver is of another company")
    if payment.source_id and Subaccount.objects.filter(account=payment.source_id, withdraw_blocked=True).exists():
        raise Invalid("Withdraw blocked: the pix key of this subaccount is invalid or restricted")
    transfer_limits.check_one(payment.company_id, payment.value)
    transfer_limits.take(payment.company_id, payment.value, now)
    source = payment.source_id or ledger.accounts(payment.company_id)[Account.Kind.MERCHANT]
    hold = ledger.hold(payment.company_id, payment.public_id, "payment_hold", source, payment.value)
    payment.hold_id = ledger.post(hold)[0].transaction_id
    payment.status, payment.approved_at, payment.approver = Status.APPROVED, now, approver
    payment.end_to_end_id = payment.end_to_end_id or ids.mint("E", settings.BANK_ISPB, now)
    payment.save(update_fields=["hold", "status", "approved_at", "approver", "end_to_end_id"])
    tenant, payload = str(payment.company_id), {"payment_id": payment.pk}
    # Two rows: only the first refreshes the company's pages, only the second starts a task.
    outbox.write_many([("payment.approved", tenant, payload), ("task:send_payment", tenant, payload)])
    return payment


def approve_new(payment: Payment, now: datetime) -> Payment:
    """Approve a payment that the caller's transaction has just written, so that nobody else can be at it.

    Raises InsufficientFunds.
    """
    return _approve(payment, now, None)


def deny(payment: Payment, reason: str, now: datetime | None = None) -> Payment:
    """End a payment that waits for approval, because somebody who may approve it will not. Raises as `approve`."""
    return _end(payment, Status.DENIED, reason, now)


def remove(payment: Payment, now: datetime | None = None) -> Payment:
    """Take back a payment that waits for approval; OPENPIX:MOVEMENT_REMOVED tells of it. Raises as `approve`."""
    return _end(payment, Status.REMOVED, "", now)


def _end(payment: Payment, status: Payment.Status, reason: str, now: datetime | None) -> Payment:
    try:
        with Payment.objects.lock_for_update(pk=payment.pk) as locked:
            row: Payment = locked.row
            _refuse_unless_created(row)
            row.status, row.reason, row.resolved_at = status, reason[:200], now or timezone.now()
            row.save(update_fields=["status", "reason", "resolved_at"])
            if status == Status.REMOVED:
                name = "OPENPIX:MOVEMENT_REMOVED"
                body = contract.event(name, row.company, payment={"correlationID": row.correlation_id})
                outbox.write(name, str(row.company_id), body)
            return row
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable("Somebody else is at this payment. Send the same request again") from error


def _refuse_unless_created(payment: Payment) -> None:
    if payment.status != Status.CREATED:
        raise Invalid(DECIDED.get(Status(payment.status), CONFIRMED), "correlationID")
