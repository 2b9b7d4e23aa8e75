"""The rows of a chunk that have no payment in the batch's round yet: what is left to send. And whether all are as signed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable

from payments.models import PayoutBatch, PayoutRow
from payments.services.batches.columns import Row
from payments.services.batches.importing import digest_of
from payments.services.batches.leases import Chunk
from woovi import statements

log = logging.getLogger(__name__)

# The batch and the lines are said of the payments too: so the planner takes their index, also when they were few.
_ROWS = """
SELECT r.line, r.reference, r.pix_key, r.value, r.comment, p.line IS NOT NULL OR ($4 > 1 AND f.line IS NULL)
FROM payments_payoutrow r
LEFT JOIN payments_payment p ON p.line = r.line AND p.batch_id = $1 AND p.line BETWEEN $2 AND $3 AND p.round = $4
LEFT JOIN payments_payment f
    ON f.line = r.line AND f.batch_id = $1 AND f.line BETWEEN $2 AND $3 AND f.round = $4 - 1 AND f.status = 'FAILED'
WHERE r.batch_id = $1 AND r.line BETWEEN $2 AND $3 ORDER BY r.line
"""


class Changed(Exception):
    """The rows are not those that were approved."""


def left(batch: PayoutBatch, chunk: Chunk) -> list[Row]:
    """Rows to send in this round: of the first, all without a payment; of a later one, those that failed before it.

    Of a cancelled batch nothing is sent any more, so its rows are looked up however they are now. Raises Changed where
    otherwise a row of the chunk, or the digest of any, is not as it was when the batch was approved.
    """
    found = statements.fetch(_ROWS, chunk.batch_id, chunk.first_line, chunk.last_line, batch.round)
    as_signed = _signature(batch, _digests(batch)) == batch.signature
    if not as_signed or digest_of(Row(*values[:-1]) for values in found) != chunk.digest:
        log.error("Rows of batch %s are not those that were approved", batch.public_id)
        if batch.status != PayoutBatch.Status.CANCELLED:
            raise Changed
    return [Row(*values) for *values, is_over in found if not is_over]


def signature(batch: PayoutBatch) -> str:
    """The signature of the rows as they are now, in hex. It reads them all."""
    lines = PayoutRow.objects.filter(batch=batch).order_by("line")
    columns = lines.values_list("line", "reference", "pix_key", "value", "comment")
    chunks = batch.chunks.order_by("number").values_list("first_line", "last_line")
    return _signature(batch, (digest_of(Row(*row) for row in columns.filter(line__range=chunk)) for chunk in chunks))


def _digests(batch: PayoutBatch) -> Iterable[str]:
    return batch.chunks.order_by("number").values_list("digest", flat=True)


def _signature(batch: PayoutBatch, digests: Iterable[str]) -> str:
    """As the file was signed when it was read: the digest of the chunks' digests, the number of rows and their sum."""
    made = hashlib.sha256("".join(digests).encode())
    made.update(f"{batch.rows} {batch.total}".encode())
    return made.hexdigest()
