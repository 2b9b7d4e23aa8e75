"""Ask the bank for the return of a refund, and book what it says.

`carrying_out` says how the bank is asked. Whoever books has the refund's row locked.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime, timedelta

from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, BankRefused, BankReturn, BankUnavailable, ReturnStatus
from payments.models import Account, ReceivedPix, Refund
from payments.services import ledger
from payments.services.carrying_out import ask_in_turn, carry_out
from payments.services.charges import bank_returns
from payments.services.charges.refunds import event
from payments.services.instructions import Instruction
from woovi import database, outbox

log = logging.getLogger(__name__)

CHECK_AFTER = timedelta(seconds=10)  # until the bank is asked about an open refund again
# A bank may call us before its own list has the Pix. For this long "not found" does not reject an automatic refund.
SEEN_WITHIN = timedelta(hours=1)
# The bank's status that contradicts how the refund ended here.
CONTRADICTION = {Refund.Status.REJECTED: ReturnStatus.DONE, Refund.Status.CONFIRMED: ReturnStatus.REFUSED}


def send(refund_id: int, now: datetime | None = None) -> Refund:
    """Ask the bank to return the money, and book its answer. Without one the refund stays open for `check_open`."""
    now = now or database.now()
    with contextlib.suppress(BankError):
        carry_out(Refund, refund_id, now, lambda refund: _Return(refund, now), _book)
    return Refund.objects.get(pk=refund_id)


class _Return(Instruction[BankReturn]):
    """The return of a refund. Of one that the bank makes by itself, only how it stands is asked."""

    def __init__(self, refund: Refund, now: datetime) -> None:
        self._refund, self._now, self._pix = refund, now, refund.received.end_to_end_id

    def read(self) -> BankReturn:
        return bank.current().read_return(self._pix, self._refund.return_id)

    def request(self) -> BankReturn:
        refund = self._refund
        if refund.by_bank:
            return self.read()
        return bank.current().request_return(self._pix, refund.return_id, refund.value, refund.comment)

    def refused(self, error: BankRefused) -> BankReturn:
        refund = self._refund
        if refund.by_bank:
            raise BankUnavailable("NotSeen", "the bank has not listed its own return yet") from error
        if isinstance(error, BankNotFound) and refund.automatic and self._now < refund.created_at + SEEN_WITHIN:
            raise BankUnavailable("NotSeen", "the bank has not listed this Pix yet") from error
        return BankReturn(refund.return_id, "", refund.value, ReturnStatus.REFUSED, str(error))


def check_open(now: datetime | None = None) -> int:
    """Ask the bank about open refunds, least recently asked first. Returns how many were tried."""
    now = now or database.now()
    due = Refund.objects.filter(status__in=Refund.OPEN, created_at__lt=now - CHECK_AFTER)
    return ask_in_turn(due, CHECK_AFTER, send, now, "check_refunds")


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
        elif answer.end_to_end_id:  # some banks tell it later, and their statement has the line under it
            Refund.objects.filter(pk=refund.pk, end_to_end_id="").update(end_to_end_id=answer.end_to_end_id)
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
