"""Refund a payer: hold the money in the ledger, ask the bank, then post or void the hold.

The hold and the refund's row are written in one transaction; task `payments.send_refund`, started by the outbox, asks
the bank. Our `return_id` makes the request idempotent there. Where the bank's answer is lost, the refund stays
open, and the next try reads the return at the bank before it asks again.

The refund's row is locked from before the bank is asked until its answer is booked, with no transaction open in between
(docs/locks.md). So one process at a time asks, and one that lost its lock books nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from payments import bank, contract
from payments.bank import pace
from payments.bank.port import BankError, BankNotFound, BankRefused, BankReturn, BankUnavailable, ReturnStatus
from payments.models import Account, Charge, Company, ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import bank_returns
from payments.services.errors import Duplicate, Invalid, Unavailable
from payments.services.ledger import Event, Posting
from woovi import outbox
from woovi.locks import LockLost, LockNotAvailable, SplitLock, StaleFence

log = logging.getLogger(__name__)

WINDOW = timedelta(days=90)  # from the payment (API Pix, PixDevolucaoInvalida)
CHECK_AFTER = timedelta(seconds=10)  # until the bank is asked about an open refund again
CHECK_BATCH = 200
# A bank may call us before its own list has the Pix. For this long "not found" does not reject an automatic refund.
SEEN_WITHIN = timedelta(hours=1)
# The bank's status that contradicts how the refund ended here.
CONTRADICTION = {Refund.Status.REJECTED: ReturnStatus.DONE, Refund.Status.CONFIRMED: ReturnStatus.REFUSED}
CHECK_SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run


def request(
    company: Company,
    charge: Charge,
    correlation_id: str,
    value: int | None = None,
    comment: str = "",
    now: datetime | None = None,
) -> Refund:
    """Refund `value` centavos (default: all that is left) of a paid charge.

    The same correlationID with the same body returns the first refund.

    Raises:
        Duplicate: the correlationID was used with another body.
        Invalid: the charge is not paid, or was paid more than 90 days ago; or the value is more than is left of the
            charge, or more than the balance has available.
        Unavailable: another process holds the charge's lock. The same request may be sent again.
    """
    now = now or timezone.now()
    if not correlation_id:
        raise Invalid("correlationID must not be empty", "correlationID")
    digest = hashlib.sha256(json.dumps([charge.pk, value, comment]).encode()).digest()
    try:
        with Charge.objects.lock_for_update(pk=charge.pk) as locked:
            if locked.row.company_id != company.pk:
                raise Charge.DoesNotExist
            first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
            if first:
                return _existing(first, digest)
            return _reserve(locked.row, correlation_id, digest, value, comment, now)
    except ledger.InsufficientFunds as error:
        raise Invalid("value is more than the balance has available", "value") from error
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable("Other refunds of this charge are under way. Send the same request again") from error
    except IntegrityError:
        # Another request used the correlationID at the same time for another charge, under that charge's lock.
        first = Refund.objects.filter(company=company, correlation_id=correlation_id).first()
        if first is None:
            raise
        return _existing(first, digest)


def _existing(first: Refund, digest: bytes) -> Refund:
    """The first refund of a correlationID, if the request is the same. Raises Duplicate."""
    if first.automatic or first.by_bank or bytes(first.request_hash) != digest:
        raise Duplicate("There is already a refund with this correlationID and another body", "correlationID")
    return first


def _reserve(
    charge: Charge, correlation_id: str, digest: bytes, value: int | None, comment: str, now: datetime
) -> Refund:
    """Check the refund, count it in the charge and hold its value. The caller has locked the charge's row."""
    if charge.status != Charge.Status.COMPLETED or charge.paid_at is None:
        raise Invalid("The charge is not paid")
    if now > charge.paid_at + WINDOW:
        raise Invalid("The charge was paid more than 90 days ago")
    left = charge.left
    value = left if value is None else value
    if not 0 < value <= left:
        raise Invalid(f"value must be from 1 to what is left of the charge, {left} centavos", "value")
    Charge.objects.filter(pk=charge.pk).update(refunded=F("refunded") + value, updated_at=now)
    refund = Refund(
        company_id=charge.company_id,
        received=charge.received.get(outcome=ReceivedPix.Outcome.SETTLED),
        charge=charge,
        correlation_id=correlation_id,
        request_hash=digest,
        value=value,
        comment=comment,
        created_at=now,
    )
    return _open(refund, Account.Kind.MERCHANT)


def return_from_suspense(received: ReceivedPix, booking: Posting, now: datetime) -> Refund:
    """Return a Pix that was not credited. `booking` is its posting into suspense. Inside the caller's transaction."""
    return _open(_automatic(received, received.value, now), Account.Kind.SUSPENSE, booking)


def return_again(received: ReceivedPix, value: int, now: datetime) -> Refund:
    """Return `value` centavos of a Pix out of suspense after the bank refused it. Inside the caller's transaction."""
    return _open(_automatic(received, value, now), Account.Kind.SUSPENSE)


def _automatic(received: ReceivedPix, value: int, now: datetime) -> Refund:
    return Refund(
        company_id=received.company_id,
        received=received,
        correlation_id=str(uuid.uuid4()),  # a random id that no merchant has used
        request_hash=b"",
        value=value,
        comment=received.Outcome(received.outcome).label,
        automatic=True,
        created_at=now,
    )


def _open(refund: Refund, kind: Account.Kind, *before: Posting) -> Refund:
    """Insert the refund, hold its value on the account of `kind`, and queue the request to the bank.

    `before` is posted in the same call, ahead of the hold.
    """
    refund.return_id = uuid.uuid4().hex
    account = ledger.accounts(refund.company_id)[kind]
    hold = ledger.hold(refund.company_id, refund.return_id, "refund_hold", account, refund.value)
    refund.hold_id = ledger.post(*before, hold)[-1].transaction_id
    refund.save(force_insert=True)
    tenant, payload = str(refund.company_id), {"refund_id": refund.pk}
    # Two rows: only the first refreshes the company's pages, only the second starts a task.
    outbox.write_many([("refund.requested", tenant, payload), ("task:send_refund", tenant, payload)])
    return refund


def send(refund_id: int, now: datetime | None = None) -> Refund:
    """Ask the bank to return the money, and book its answer. Without an answer the refund stays open for `check_open`.

    Where another process has the refund's lock, or took it over while the bank answered, that process books it.
    """
    try:
        with Refund.objects.lock_rows(pk=refund_id, nowait=True) as lock:
            return _send(lock, now or timezone.now())
    except LockNotAvailable:
        log.info("Refund %s: somebody else asks the bank", refund_id)
    except (LockLost, StaleFence):
        log.warning("Refund %s was taken over by another process", refund_id)
    return Refund.objects.get(pk=refund_id)


def _send(lock: SplitLock, now: datetime) -> Refund:
    refund: Refund = lock.rows.row
    if refund.status != Refund.Status.IN_PROCESSING:
        return refund
    asked_before = refund.checked_at is not None
    # Before the call: after a crash in it, the bank may have the request.
    Refund.objects.filter(pk=refund.pk).update(checked_at=now)
    try:
        with pace.acting_for(refund.company_id):
            answer = _read(refund) if asked_before or refund.by_bank else None
            if answer is None:
                lock.check()
                answer = _ask(refund, now)
    except BankError as error:
        log.warning("Refund %s stays open: %s", refund.pk, error)
        return refund
    with lock.write() as rows:
        return _book(rows.row, answer, now)


def _read(refund: Refund) -> BankReturn | None:
    """The return as the bank has it, or None."""
    try:
        return bank.current().read_return(refund.received.end_to_end_id, refund.return_id)
    except BankNotFound:
        return None


def _ask(refund: Refund, now: datetime) -> BankReturn:
    """Request the return. A final refusal is returned as REFUSED; whatever may still change is raised as BankError."""
    if refund.by_bank:
        raise BankUnavailable("NotSeen", "the bank has not listed its own return yet")
    try:
        return bank.current().request_return(
            refund.received.end_to_end_id, refund.return_id, refund.value, refund.comment
        )
    except BankRefused as error:
        # "Id already used" is a refusal too. Only if the bank has no return under this id is it refused.
        if answer := _read(refund):
            return answer
        if isinstance(error, BankNotFound) and refund.automatic and now < refund.created_at + SEEN_WITHIN:
            raise BankUnavailable("NotSeen", "the bank has not listed this Pix yet") from error
        return BankReturn(refund.return_id, "", refund.value, ReturnStatus.REFUSED, str(error))


def check_open(now: datetime | None = None) -> int:
    """Ask the bank about open refunds, least recently asked first. Returns how many were tried."""
    now = now or timezone.now()
    due = _open_refunds().filter(Q(checked_at=None) | Q(checked_at__lt=now - CHECK_AFTER))
    ordered = due.filter(created_at__lt=now - CHECK_AFTER).order_by(F("checked_at").asc(nulls_first=True), "created_at")
    asked, deadline = 0, time.monotonic() + CHECK_SECONDS
    for refund_id in list(ordered.values_list("pk", flat=True)[:CHECK_BATCH]):
        if time.monotonic() > deadline:
            break
        send(refund_id, now)
        asked += 1
    return asked


def _open_refunds() -> QuerySet[Refund]:
    return Refund.objects.filter(status=Refund.Status.IN_PROCESSING)


def note_returns(end_to_end_id: str, returns: tuple[BankReturn, ...], now: datetime | None = None) -> None:
    """Book the returns of a Pix that the bank reports, in a callback or its list: ours, and those it made by itself."""
    for answer in returns:
        if answer.value <= 0:
            log.error("Return %s of Pix %s is of nothing: ignored", answer.return_id, end_to_end_id)
            continue
        refund = Refund.objects.filter(return_id=answer.return_id, received__end_to_end_id=end_to_end_id).first()
        if refund is None:
            received = ReceivedPix.objects.get(end_to_end_id=end_to_end_id)
            refund = bank_returns.record(received, answer, now or timezone.now())
        if refund.status == Refund.Status.IN_PROCESSING:
            refund = resolve(refund.pk, answer, now)
        if answer.status == CONTRADICTION.get(Refund.Status(refund.status)):
            # Both states are final, so an operator must decide. Until then `check_ledger` names the refund.
            log.error("Refund %s is %s, and the bank says %s", refund.pk, refund.status, answer.status)
            Refund.objects.filter(pk=refund.pk).update(contradicted_at=now or timezone.now())


def resolve(refund_id: int, answer: BankReturn, now: datetime | None = None) -> Refund:
    """Book the bank's answer. Raises LockNotAvailable while another process asks the bank about this refund."""
    with Refund.objects.lock_for_update(pk=refund_id) as locked:
        return _book(locked.row, answer, now or timezone.now())


def _book(refund: Refund, answer: BankReturn, now: datetime) -> Refund:
    """Post or void the hold, as the bank answered. Idempotent; an answer that is not final changes nothing.

    The caller has locked the refund's row.
    """
    if refund.status != Refund.Status.IN_PROCESSING:
        return refund
    if answer.value != refund.value and refund.by_bank:
        bank_returns.restate(refund, answer.value, now)
    if answer.value != refund.value:
        log.error("Refund %s is of %s centavos, the bank says %s", refund.pk, refund.value, answer.value)
        return refund
    if answer.end_to_end_id:
        refund.end_to_end_id = answer.end_to_end_id[:32]
    if answer.status == ReturnStatus.DONE and not (refund.by_bank and bank_returns.must_wait(refund)):
        _confirm(refund, now)
    elif answer.status == ReturnStatus.REFUSED:
        _reject(refund, answer.reason, now)
    refund.save(update_fields=["status", "end_to_end_id", "reason", "debit", "resolved_at"])
    return refund


def _confirm(refund: Refund, now: datetime) -> None:
    refund.status, refund.resolved_at = Refund.Status.CONFIRMED, now
    ended = event("PIX_TRANSACTION_REFUND_SENT_CONFIRMED", refund)
    if refund.by_bank:
        refund.debit_id = bank_returns.debit(refund, "bank_return", ended)
        return
    assert refund.hold_id
    clearing = ledger.accounts(refund.company_id)[Account.Kind.CLEARING]
    ledger.post(ledger.post_hold(refund.hold_id, refund.return_id, "refund", refund.value, clearing, (ended,)))


def _reject(refund: Refund, reason: str, now: datetime) -> None:
    """Release the hold: the merchant has the money again, or it stays in suspense for an operator (`automatic`)."""
    refund.status, refund.resolved_at, refund.reason = Refund.Status.REJECTED, now, reason[:200]
    ended = event("PIX_TRANSACTION_REFUND_SENT_REJECTED", refund)
    bank_returns.add_to_charge(refund, -refund.value, now)  # locks the charge before its accounts, else: deadlocks
    if refund.hold_id:
        ledger.post(ledger.void_hold(refund.hold_id, refund.return_id, "refund_void", (ended,)))
    else:
        outbox.write(ended.topic, str(refund.company_id), ended.payload)


def event(name: str, refund: Refund) -> Event:
    """The event of a refund's end, for the ledger to write. `name` is without `OPENPIX:`."""
    body = contract.event(
        name,
        refund.company,
        refundTransaction=contract.refund(refund),
        originalTransaction=contract.pix(refund.received, refund.company, refund.charge),
        **({"error": refund.reason} if refund.reason else {}),
    )
    return Event(f"OPENPIX:{name}", body)
