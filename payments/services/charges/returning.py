"""Ask the bank for the return of a refund, and book what it says.

The refund's row is locked from before the bank is asked until its answer is booked, with no transaction open in between
(docs/locks.md). So one process at a time asks, and one that lost its lock books nothing. Where the bank's answer is lost,
the refund stays open, and the next try reads the return at the bank before it asks again.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from payments import bank
from payments.bank import pace
from payments.bank.port import BankError, BankNotFound, BankRefused, BankReturn, BankUnavailable, ReturnStatus
from payments.models import Account, ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import bank_returns
from payments.services.charges.refunds import event
from woovi import outbox
from woovi.locks import LockLost, LockNotAvailable, SplitLock, StaleFence

log = logging.getLogger(__name__)

CHECK_AFTER = timedelta(seconds=10)  # until the bank is asked about an open refund again
CHECK_BATCH = 200
# A bank may call us before its own list has the Pix. For this long "not found" does not reject an automatic refund.
SEEN_WITHIN = timedelta(hours=1)
# The bank's status that contradicts how the refund ended here.
CONTRADICTION = {Refund.Status.REJECTED: ReturnStatus.DONE, Refund.Status.CONFIRMED: ReturnStatus.REFUSED}
CHECK_SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run


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
