"""The rows of a chunk that have no payment in the batch's round yet: what is left to send."""

from __future__ import annotations

from payments.models import PayoutBatch
from payments.services.batches.columns import Row
from payments.services.batches.importing import digest_of
from payments.services.batches.leases import Chunk
from woovi import statements

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

    Raises Changed where a row of the chunk is not as it was when the batch was approved.
    """
    found = statements.fetch(_ROWS, chunk.batch_id, chunk.first_line, chunk.last_line, batch.round)
    if digest_of(Row(*values[:-1]) for values in found) != chunk.digest:
        raise Changed
    return [Row(*values) for *values, is_over in found if not is_over]
