"""Ask the bank about rows that were sent and whose end is not known, and about rows in quarantine."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q

from payments.bank import pace
from payments.bank.port import BankError, BankUnavailable
from payments.models import Payment, PayoutBatch
from payments.services.batches.columns import Row
from payments.services.batches.paying import result_of, send_row
from payments.services.batches.settling import Result, settle
from payments.services.carrying_out import request_noted
from payments.services.errors import Invalid, Unavailable
from payments.services.instructions import grace, look_up
from payments.services.payments import outcomes, sending
from woovi import database
from woovi.threads import gives_back

log = logging.getLogger(__name__)

CHECK_AFTER = timedelta(seconds=2)
CHECK_BATCH = 1_000
Status = Payment.Status


def check_open(now: datetime | None = None) -> int:
    """Ask about open payments of batches, least recently asked first. Returns how many were tried."""
    now, began = now or database.now(), time.monotonic()
    due = Payment.objects.filter(batch__isnull=False, status=Status.PROCESSING, asked_at__lt=now - CHECK_AFTER)
    found = list(due.select_related("batch__company").order_by(F("asked_at").asc())[:CHECK_BATCH])

    def look(payment: Payment) -> Result | None:
        return _look(payment, now + timedelta(seconds=time.monotonic() - began))

    by_batch: dict[PayoutBatch, list[Result]] = defaultdict(list)
    with ThreadPoolExecutor(settings.PAYOUT_IN_FLIGHT) as pool:
        for payment, result in zip(found, pool.map(gives_back(look), found), strict=True):
            if payment.batch and result:
                by_batch[payment.batch].append(result)
    for batch, results in by_batch.items():
        settle(batch, results, now)
    return len(found)


def _look(payment: Payment, now: datetime) -> Result | None:
    """How the payment stands at the bank; it is sent if it is not there and its batch runs. None where it stays open.

    Whoever asks about a payment takes it first, by `asked_at`; and only who has it still may send it.
    """
    mine = Payment.objects.filter(pk=payment.pk, status=Status.PROCESSING)
    if not mine.filter(asked_at=payment.asked_at).update(asked_at=now):
        return None
    payment.refresh_from_db(fields=["sent_at"])
    running = {"asked_at": now, "batch__status": PayoutBatch.Status.RUNNING}
    try:
        with pace.acting_for(payment.company_id):
            pix = sending.pix_of(payment)
            answer = look_up(pix) or request_noted(payment, pix, now, **running)
    except BankUnavailable as error:
        log.warning("Payment %s stays open: %s", payment.pk, error)
        return None
    except BankError as error:
        log.warning("Payment %s is unknown: %s", payment.pk, error)
        return Result(row_of(payment), round_of(payment), Status.PROCESSING, is_unknown=True)
    return result_of(row_of(payment), round_of(payment), answer) if answer else _never_sent(payment, now)


def _never_sent(payment: Payment, now: datetime) -> Result | None:
    """The end of a payment that the bank does not have, of a batch that sends no more. None while it may still come."""
    sends = Q(batch__status__in=(PayoutBatch.Status.RUNNING, PayoutBatch.Status.PAUSED))
    late = Q(sent_at__gt=now - grace())
    if Payment.objects.filter(sends | late, pk=payment.pk).exists():
        return None
    reason = "Cancelled, and not at the bank"
    return Result(row_of(payment), round_of(payment), Status.FAILED, error_code=outcomes.OTHER, reason=reason)


def ask(payment: Payment, now: datetime | None = None) -> Payment:
    """Look up one payment of a batch, also one in quarantine, and book what the bank says.

    One in quarantine that the bank does not have stays there. Where one ended another way than here, `check_ledger`
    names it. Raises Unavailable where the bank does not answer.
    """
    assert payment.batch
    if payment.status in {Status.CONFIRMED, Status.FAILED}:
        return sending.ask(payment, now)
    if payment.status in {*Payment.OPEN, Status.QUARANTINED}:
        result = _ask(payment)
        if result and not result.is_unknown:
            settle(payment.batch, [result], now or database.now())
            payment.refresh_from_db()
    return payment


def _ask(payment: Payment) -> Result | None:
    assert payment.batch
    try:
        return send_row(payment.batch, row_of(payment), round_of(payment), look_up=True, may_send=lambda: False)
    except BankError as error:
        raise Unavailable("The bank does not answer. Try again") from error


def give_up(payment: Payment, now: datetime | None = None) -> Payment:
    """End a payment in quarantine as FAILED, if the bank does not have it. Then a retry may pay its row.

    Raises Invalid where it is not in quarantine, or the bank has it, or may still begin to carry it out; Unavailable
    where the bank does not answer.
    """
    now = now or database.now()
    if payment.status != Status.QUARANTINED or not payment.batch:
        raise Invalid("Only a payment in quarantine can be given up")
    if now < (payment.sent_at or payment.created_at) + grace():
        raise Invalid("The bank may still carry this payment out. Try again in a minute")
    if _ask(payment):
        raise Invalid("The bank has this payment: ask it")
    failed = Result(
        row_of(payment),
        round_of(payment),
        Status.FAILED,
        error_code=outcomes.OTHER,
        reason="Given up in quarantine",
    )
    settle(payment.batch, [failed], now)
    payment.refresh_from_db()
    return payment


def row_of(payment: Payment) -> Row:
    """The row that the payment was made of."""
    assert payment.line is not None
    return Row(payment.line, payment.correlation_id, payment.pix_key, payment.value, payment.comment)


def round_of(payment: Payment) -> int:
    """The payment's own round, and so its id at the bank: its batch may be in another one by now."""
    assert payment.round is not None
    return payment.round
