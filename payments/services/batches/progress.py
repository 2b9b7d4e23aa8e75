"""How far a batch is, and what came of every row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection

from payments.contract import time
from payments.models import PayoutBatch
from payments.services.csv_lines import line as csv_line

HEADER = ("line", "reference", "pix_key", "value", "status", "endToEndId", "errorCode", "reason", "round", "time")
# The latest round's payment of each row. Rows without one wait, or will never be paid where the batch is cancelled.
_ROWS = """
SELECT r.line, r.reference, r.pix_key, r.value, coalesce(p.status, %(none)s), coalesce(p.end_to_end_id, ''),
       coalesce(p.error_code, ''), coalesce(p.reason, ''), p.round, p.resolved_at
FROM payments_payoutrow r LEFT JOIN LATERAL (
    SELECT * FROM payments_payment p WHERE p.batch_id = %(batch)s AND p.line = r.line ORDER BY round DESC LIMIT 1
) p ON true WHERE r.batch_id = %(batch)s ORDER BY r.line
"""
_IN_DOUBT = """
SELECT batch_id, count(*) FILTER (WHERE status = 'PROCESSING'), count(*) FILTER (WHERE status = 'QUARANTINED')
FROM payments_payment WHERE batch_id = ANY(%s) AND status IN ('PROCESSING', 'QUARANTINED') GROUP BY batch_id
"""


@dataclass(frozen=True)
class Progress:
    """Rows by state. `waiting` are not booked yet; some of them may be at the bank. Values are centavos."""

    status: str
    rows: int
    total: int
    confirmed: int
    failed: int
    unknown: int
    quarantined: int
    waiting: int
    reserved: int

    @property
    def ended(self) -> int:
        return self.confirmed + self.failed + self.quarantined

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def progress(batch: PayoutBatch) -> Progress:
    """The batch's progress now: two small queries, however many rows it has."""
    return progress_of([PayoutBatch.objects.get(pk=batch.pk)])[0]


def progress_of(batches: Sequence[PayoutBatch]) -> list[Progress]:
    """The progress of batches that were just read: one query for all of them."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_DOUBT, [[batch.pk for batch in batches]])
        in_doubt = {pk: (unknown, quarantined) for pk, unknown, quarantined in cursor.fetchall()}
    return [_progress(batch, *in_doubt.get(batch.pk, (0, 0))) for batch in batches]


def _progress(batch: PayoutBatch, unknown: int, quarantined: int) -> Progress:
    return Progress(
        batch.status,
        batch.rows,
        batch.total,
        batch.confirmed,
        batch.failed,
        unknown,
        quarantined,
        batch.rows - batch.confirmed - batch.failed - unknown - quarantined,
        batch.reserved,
    )


def export(batch: PayoutBatch) -> Iterator[str]:
    """A CSV of every row and what came of it, a line at a time. Once the batch is over it is the same each time."""
    none = "CANCELLED" if batch.status == PayoutBatch.Status.CANCELLED else "WAITING"
    yield csv_line(HEADER)
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ROWS, {"batch": batch.pk, "none": none})
        for *values, at in cursor:
            yield csv_line((*values, time(at) if at else ""))


def export_digest(batch: PayoutBatch) -> str:
    """The SHA-256 of the export, in hex."""
    made = hashlib.sha256()
    for line in export(batch):
        made.update(line.encode())
    return made.hexdigest()
