"""A batch's states: submit, approve, pause, resume, cancel, retry. Each decides under the batch's row lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import Payment, PayoutBatch, PayoutChunk, PayoutRow, User
from payments.services import frozen, ledger, pix_key_tokens, references, transfer_limits
from payments.services.batches import reserve, rows
from payments.services.batches.hints import changed, hint
from payments.services.errors import Invalid
from woovi import outbox

Status = PayoutBatch.Status


@contextmanager
def locked(batch: PayoutBatch, *states: PayoutBatch.Status) -> Iterator[PayoutBatch]:
    """The batch as it is now, locked in a short transaction. Raises Invalid where it is in none of `states`."""
    with transaction.atomic():
        row = PayoutBatch.objects.select_for_update(no_key=True).get(pk=batch.pk)
        if row.status not in states:
            raise Invalid(f"The batch is {row.status}")
        yield row


def submit(batch: PayoutBatch) -> PayoutBatch:
    """Ask for the approval of a batch without problems. Raises Invalid."""
    with locked(batch, Status.VALIDATED) as row:
        row.status = Status.AWAITING_APPROVAL
        row.save(update_fields=["status"])
        changed(row)
        return row


def approve(batch: PayoutBatch, approver: User, signature: str, now: datetime | None = None) -> PayoutBatch:
    """Reserve the balance for all rows at once, and let workers begin.

    Args:
        signature: the batch's, as the approver saw it: what is paid is exactly what was approved.

    Raises:
        Invalid: it does not wait for approval, it was changed since, the approver uploaded it or belongs to another
            company, a reference was used meanwhile, or the balance or a limit of the company does not cover it.
        TooMany: the company has no tokens for look-ups of Pix keys, because it asked for many that do not exist.
    """
    pix_key_tokens.check_enough(batch.company, now)
    try:
        with locked(batch, Status.AWAITING_APPROVAL) as row:
            frozen.refuse(row.company, "payments")
            if approver.pk == row.maker_id:
                raise Invalid("Who uploaded a batch does not approve it")
            if approver.company_id != row.company_id:  # an operator has none, and approves nothing of a merchant's
                raise Invalid("The approver is of another company")
            if not signature == row.signature == rows.signature(row):
                raise Invalid("The batch is not the one that was shown")
            references.decide_alone(row.company_id)
            if line := references.first_used(row):
                raise Invalid(f"Another payment or batch uses a reference of the batch by now: that of line {line}")
            transfer_limits.check_rows(row.company_id, PayoutRow.objects.filter(batch=row))
            row.approver, row.approved_at, row.status = approver, now or timezone.now(), Status.RUNNING
            row.round_began_at = row.approved_at
            reserve.set_to(row, row.total)
            row.save()
            hint(row)
            return row
    except ledger.InsufficientFunds as error:
        raise Invalid("The balance does not cover the batch") from error


def pause(batch: PayoutBatch, reason: str = "") -> PayoutBatch:
    """Send no further row. Those at the bank end as they would."""
    with locked(batch, Status.RUNNING) as row:
        row.status, row.pause_reason = Status.PAUSED, reason[:200]
        row.save(update_fields=["status", "pause_reason"])
        changed(row)
        return row


def resume(batch: PayoutBatch, now: datetime | None = None) -> PayoutBatch:
    """Go on with a paused batch; one of which nothing was left to send ends at once."""
    with locked(batch, Status.PAUSED) as row:
        frozen.refuse(row.company, "payments")
        row.status, row.pause_reason = Status.RUNNING, ""
        finish(row, now or timezone.now())
        row.save()
        hint(row)
        return row


def cancel(batch: PayoutBatch, now: datetime | None = None) -> PayoutBatch:
    """Send no further row, and release what is reserved for rows that were not sent. Sent rows end as they would.

    Rows that a worker is sending at this moment, or left in doubt, are looked up first.
    """
    before = (Status.DRAFT, Status.VALIDATED, Status.AWAITING_APPROVAL)
    with locked(batch, *before, Status.RUNNING, Status.PAUSED) as row:
        row.status, row.finished_at = Status.CANCELLED, now or timezone.now()
        row.save(update_fields=["status", "finished_at"])
        if row.hold_id:
            finish(row, row.finished_at)
            hint(row)
        else:
            changed(row)
        return row


def retry(batch: PayoutBatch, count: int, total: int, now: datetime | None = None) -> PayoutBatch:
    """Pay the failed rows again, never the unknown ones, after a `dry_run_retry` that showed `count` and `total`.

    Raises Invalid where they are other ones by now, or the balance or a limit of the company does not cover them.
    """
    try:
        with locked(batch, Status.PARTIAL) as row:
            frozen.refuse(row.company, "payments")
            if (count, total) != failed_rows(row):
                raise Invalid("The failed rows are not those that were shown")
            if not count:
                raise Invalid("No row has failed")
            if unsure(row).exists():
                raise Invalid("The end of some rows is not known: ask the bank about them first")
            transfer_limits.check_rows(row.company_id, _failed(row))
            row.round, row.failed, row.status, row.finished_at = row.round + 1, 0, Status.RUNNING, None
            row.round_began_at = now or timezone.now()
            reserve.set_to(row, row.reserved + total)
            row.save()
            PayoutChunk.objects.filter(batch=row).update(
                is_done=False, token=None, leased_until=None, attempts=0, at_line=None, at_line_attempts=0
            )
            hint(row)
            return row
    except ledger.InsufficientFunds as error:
        raise Invalid("The balance does not cover the batch") from error


def failed_rows(batch: PayoutBatch) -> tuple[int, int]:
    """How many rows failed in the latest round, and their sum in centavos: what `retry` would pay."""
    values = list(_failed(batch).values_list("value", flat=True))
    return len(values), sum(values)


def _failed(batch: PayoutBatch) -> QuerySet[Payment]:
    return Payment.objects.filter(batch=batch, round=batch.round, status=Payment.Status.FAILED)


def unsure(batch: PayoutBatch) -> QuerySet[Payment]:
    """Payments that the bank may still carry out, of any round."""
    return Payment.objects.filter(batch=batch, status__in=(*Payment.OPEN, Payment.Status.QUARANTINED))


def finish(batch: PayoutBatch, now: datetime) -> None:
    """End the batch where nothing is left to send, and release what no row needs any more. The caller has locked it."""
    left = PayoutChunk.objects.filter(batch=batch, is_done=False)
    # Of a cancelled batch, only rows that a worker sends now, or has left in doubt, are waited for.
    if (left.filter(attempts__gt=0) if batch.status == Status.CANCELLED else left).exists():
        return
    open_ = unsure(batch)
    needed = sum(open_.values_list("value", flat=True))
    if needed != batch.reserved:
        reserve.set_to(batch, needed)
        changed(batch)
    sent = open_.exclude(status=Payment.Status.QUARANTINED).exists()
    whole = batch.confirmed == batch.rows
    # One that was paid in part ends again where its last row, in quarantine till now, turns out to be paid.
    if not sent and (batch.status == Status.RUNNING or (whole and batch.status == Status.PARTIAL)):
        batch.status = Status.DONE if whole else Status.PARTIAL
        batch.finished_at = now
        outbox.write("payout.finished", str(batch.company_id), {"batch": batch.public_id, "status": batch.status})
    batch.save()
