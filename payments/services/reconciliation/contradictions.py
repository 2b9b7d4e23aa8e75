"""Correct a refund that ended differently here and at the bank: our books follow the bank's."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError
from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, ReturnStatus
from payments.models import Account, ReceivedPix, Refund
from payments.services import ledger
from payments.services.charges import bank_returns, refunds
from payments.services.errors import Invalid, Unavailable
from payments.services.ledger import Line, Posting
from woovi.locks import LockNotAvailable, StaleFence

Status = Refund.Status


def resolve(refund: Refund, now: datetime | None = None) -> Refund:
    """Ask the bank how the return ended, and correct refund, charge and ledger. Must not be called in a transaction.

    Raises:
        Invalid: there is no contradiction, the return is still under way, the refund was corrected before, or the return
            is the bank's own and the bank does not find it.
        Unavailable: the bank does not answer, or another process has the refund's lock.
    """
    truth = _at_bank(refund)
    try:
        with Refund.objects.lock_for_update(pk=refund.pk) as locked:
            row: Refund = locked.row
            if row.contradicted_at is None:
                raise Invalid("The bank does not contradict this refund")
            if row.status != truth:
                _correct(row, truth, now or timezone.now())
            row.contradicted_at = None
            row.save(update_fields=["status", "correction", "resolved_at", "contradicted_at"])
            return row
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable("Somebody else is at this refund. Try again") from error
    except IntegrityError as error:
        raise Invalid("The charge would have more returned than was paid") from error


def _at_bank(refund: Refund) -> str:
    try:
        status = bank.current().read_return(refund.received.end_to_end_id, refund.return_id).status
    except BankNotFound as error:
        if refund.by_bank:  # it told of this return itself, so that it has none is not true
            raise Invalid("The bank does not find its own return by the id that it told: ask it") from error
        return Status.REJECTED
    except BankError as error:
        raise Unavailable("The bank does not answer. Nothing was changed") from error
    if status == ReturnStatus.PROCESSING:
        raise Invalid("The return is still under way at the bank")
    return Status.CONFIRMED if status == ReturnStatus.DONE else Status.REJECTED


def _correct(refund: Refund, truth: str, now: datetime) -> None:
    if refund.correction_id:
        raise Invalid("This refund was corrected once before: the bank changes its mind, ask it")
    refund.status, refund.resolved_at = truth, now
    if truth == Status.CONFIRMED:
        bank_returns.add_to_charge(refund, refund.value, now)
        ended = refunds.event("PIX_TRANSACTION_REFUND_SENT_CONFIRMED", refund)
        refund.correction_id = bank_returns.debit(refund, "refund_correction", ended)
        return
    bank_returns.add_to_charge(refund, -refund.value, now)
    received = ReceivedPix.objects.select_for_update(no_key=True).get(pk=refund.received_id)  # before who credits it
    accounts = ledger.accounts(refund.company_id)
    source = accounts[bank_returns.source(received)]
    lines = (Line(accounts[Account.Kind.CLEARING], -refund.value), Line(source, refund.value))
    ended = refunds.event("PIX_TRANSACTION_REFUND_SENT_REJECTED", refund)
    key = f"{received.end_to_end_id}/{refund.return_id}"
    posting = Posting(refund.company_id, "refund_correction", key, lines, events=(ended,))
    refund.correction_id = ledger.post(posting)[0].transaction_id
