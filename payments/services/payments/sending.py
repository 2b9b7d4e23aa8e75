"""Send approved payments by the bank, and ask it about those whose end is not known.

The payment's row is locked from before the bank is asked until its answer is booked, with no transaction open in
between (docs/locks.md). A payment that the bank may have is looked up before it is sent, and is sent under the same id
only: whatever is killed on whatever line, the bank carries it out once.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from payments import bank
from payments.bank import pace
from payments.bank.port import (
    BankAccount,
    BankConflict,
    BankError,
    BankNotFound,
    BankRefused,
    BankSent,
    BankUnavailable,
    BankUnknown,
    Debtor,
    SendOrder,
    SendStatus,
)
from payments.models import Payment
from payments.services import frozen
from payments.services.errors import Unavailable
from payments.services.payments.outcomes import book, contradict
from woovi.locks import LockLost, LockNotAvailable, SplitLock, StaleFence

log = logging.getLogger(__name__)

CHECK_AFTER = timedelta(seconds=2)  # until the bank is asked about an open payment again
CHECK_BATCH = 200
CHECK_SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run
Status = Payment.Status


class RefusedInDoubt(BankUnknown):
    """The bank refused to send, and may all the same carry out this payment, by this send or an earlier one."""


def grace() -> timedelta:
    """How long after a send without an answer the bank may still begin to carry it out.

    A worker may be this late with a send, its lease at most, and then the bank with its answer.
    """
    return timedelta(seconds=settings.PAYOUT_LEASE + settings.BANK_TIMEOUT)


def send(payment_id: int, now: datetime | None = None) -> Payment:
    """Ask the bank to pay, and book its answer. Without an answer the payment stays open for `check_open`.

    Where another process has the payment's lock, or took it over while the bank answered, that process books it.
    """
    try:
        with Payment.objects.lock_rows(pk=payment_id, nowait=True) as lock:
            return _send(lock, now or timezone.now())
    except LockNotAvailable:
        log.info("Payment %s: somebody else asks the bank", payment_id)
    except (LockLost, StaleFence):
        log.warning("Payment %s was taken over by another process", payment_id)
    return Payment.objects.get(pk=payment_id)


def _send(lock: SplitLock, now: datetime) -> Payment:
    payment: Payment = lock.rows.row
    if payment.status not in Payment.OPEN:
        return payment
    asked_before = payment.asked_at is not None
    if not asked_before and frozen.holds_back(payment.company_id):
        return payment  # it waits for the release; one that the bank may have is looked up all the same
    # Before the call: after a crash in it, the bank may have the payment.
    Payment.objects.filter(pk=payment.pk, status__in=Payment.OPEN).update(asked_at=now, status=Status.PROCESSING)
    try:
        with pace.acting_for(payment.company_id):
            answer = read(payment.public_id) if asked_before else None
            if answer is None:
                lock.check()
                answer = send_noted(payment, now)
    except BankError as error:
        log.warning("Payment %s stays open: %s", payment.pk, error)
        if isinstance(error, BankUnknown):
            Payment.objects.filter(pk=payment.pk, unknown_since=None).update(unknown_since=now)
        return Payment.objects.get(pk=payment.pk)
    if answer is None:
        return Payment.objects.get(pk=payment.pk)
    with lock.write() as rows:
        return book(rows.row, answer, now)


def read(send_id: str) -> BankSent | None:
    """The payment as the bank has it, or None."""
    try:
        return bank.current().read_sent(send_id)
    except BankNotFound:
        return None


def send_noted(payment: Payment, now: datetime, **only: Any) -> BankSent | None:
    """Send an open payment, noted before as `sent_at`. None where it is not open, or not as `only` says, any more.

    `sent_at` stays the time of the latest send that the bank has not answered. Raises as `place`.
    """
    earlier, row = payment.sent_at, Payment.objects.filter(pk=payment.pk)
    if not row.filter(status=Status.PROCESSING, **only).update(sent_at=now):
        return None
    try:
        return place(order_of(payment), now - earlier if earlier else None)
    except (BankUnavailable, RefusedInDoubt) as error:
        row.filter(sent_at=now).update(sent_at=earlier or (now if isinstance(error, RefusedInDoubt) else None))
        raise


def place(order: SendOrder, since: timedelta | None) -> BankSent:
    """Send a Pix. A final refusal is returned as REFUSED; whatever may still change is raised as BankError.

    Args:
        since: time since the latest send without an answer. Before `grace` is over no refusal is final, since it may be
            of this send alone. None where there was none: only a 404 or 409 may then be of a send under way.
    """
    try:
        return bank.current().send_pix(order)
    except BankRefused as error:
        # "Id already used" is a refusal too. Only if the bank has no payment under this id is it refused.
        if answer := _read_after_refusal(order.send_id):
            return answer
        of_another = isinstance(error, BankNotFound | BankConflict)
        if of_another if since is None else since < grace():
            raise RefusedInDoubt(error.code, "refused, and may still be carried out") from error
        return BankSent(order.send_id, "", order.value, SendStatus.REFUSED, f"{error.code} - {error.detail}")


def _read_after_refusal(send_id: str) -> BankSent | None:
    """As `read`; but a bank that is away now is no bank to which nothing was sent."""
    try:
        return read(send_id)
    except BankUnavailable as error:
        raise BankUnknown(error.code, "not looked up after a refusal") from error


def order_of(payment: Payment) -> SendOrder:
    """What the bank is asked for."""
    account = payment.account and _account(payment)
    # With a code or an account, the key is left out: it would be a second receiver.
    key = payment.pix_key if payment.type == Payment.Type.PIX_KEY else ""
    return SendOrder(
        payment.public_id,
        payment.value,
        pix_key=key,
        br_code=payment.qr_code,
        account=account or None,
        payer_message=payment.comment,
        end_to_end_id=payment.end_to_end_id,
    )


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
    now = now or timezone.now()
    due = Payment.objects.filter(batch=None, status__in=Payment.OPEN, approved_at__lt=now - CHECK_AFTER)
    due = due.filter(Q(asked_at=None) | Q(asked_at__lt=now - CHECK_AFTER))
    ordered = due.order_by(F("asked_at").asc(nulls_first=True), "created_at")
    asked, deadline = 0, time.monotonic() + CHECK_SECONDS
    for payment_id in list(ordered.values_list("pk", flat=True)[:CHECK_BATCH]):
        if time.monotonic() > deadline:
            break
        send(payment_id, now)
        asked += 1
    return asked


def ask(payment: Payment, now: datetime | None = None) -> Payment:
    """Ask the bank about one payment, now. Where it ended another way than here, `check_ledger` names it from then on.

    Raises Unavailable where the bank does not answer.
    """
    if payment.status in Payment.OPEN:
        return send(payment.pk, now)
    if payment.status in {Status.CONFIRMED, Status.FAILED}:
        try:
            answer = read(payment.public_id)
        except BankError as error:
            raise Unavailable("The bank does not answer. Try again") from error
        contradict(payment, answer, now or timezone.now())
        payment.refresh_from_db()
    return payment
