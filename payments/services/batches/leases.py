"""Which worker pays which chunk, and whose turn it is: a lease in the database, by the database's clock.

A worker renews it whenever rows have ended, and every third of its time while it waits.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from payments.bank.session import CONNECT_SECONDS
from woovi import statements

# One claim at a time, so that no company gets more than its share.
_TURN = "SELECT pg_advisory_xact_lock(hashtext('payout_claim'))"
# Whose turn it is: the company with the fewest chunks under way, and of those the one that was served longest ago. In
# it the oldest batch first. A queue of messages would serve whoever has sent most.
_NEXT = """
WITH busy AS (
    SELECT b.company_id, count(*) AS chunks FROM payments_payoutchunk c JOIN payments_payoutbatch b ON b.id = c.batch_id
    WHERE NOT c.is_done AND c.leased_until >= statement_timestamp() GROUP BY b.company_id
), served AS (
    SELECT company_id, max(served_at) AS at FROM payments_payoutbatch
    WHERE status IN ('RUNNING', 'PAUSED') OR hold_id IS NOT NULL GROUP BY company_id
), next AS (
    SELECT b.id AS batch, c.id AS chunk
    FROM payments_payoutbatch b JOIN served USING (company_id) LEFT JOIN busy USING (company_id), LATERAL (
        SELECT id FROM payments_payoutchunk c
        WHERE c.batch_id = b.id AND NOT c.is_done
          AND (c.leased_until IS NULL OR c.leased_until < statement_timestamp())
          -- of a cancelled batch, only what a worker has left in doubt
          AND (b.status = 'RUNNING' OR c.attempts > 0)
        ORDER BY number LIMIT 1
    ) c
    WHERE (b.status = 'RUNNING' OR (b.status = 'CANCELLED' AND b.hold_id IS NOT NULL))
      AND ($1::bigint IS NULL OR b.id = $1::bigint) AND coalesce(busy.chunks, 0) < $2::int
    ORDER BY coalesce(busy.chunks, 0), served.at NULLS FIRST, b.id LIMIT 1
)
UPDATE payments_payoutbatch b SET served_at = statement_timestamp() FROM next WHERE b.id = next.batch RETURNING next.chunk
"""
# After its batch, as whoever books locks them: in the other order the two could deadlock.
_TAKE = """
UPDATE payments_payoutchunk
SET token = gen_random_uuid(), attempts = attempts + 1,
    leased_until = statement_timestamp() + make_interval(secs => $2::int)
WHERE id = $1 AND NOT is_done AND (leased_until IS NULL OR leased_until < statement_timestamp())
RETURNING id, batch_id, first_line, last_line, digest, token, attempts
"""
_RENEW = """
UPDATE payments_payoutchunk SET leased_until = statement_timestamp() + make_interval(secs => $3)
WHERE id = $1 AND token = $2::uuid AND NOT is_done RETURNING 1
"""
_END = (
    "UPDATE payments_payoutchunk SET is_done = true, leased_until = NULL WHERE id = $1 AND token = $2::uuid RETURNING 1"
)
_YIELD = """
UPDATE payments_payoutchunk
SET attempts = attempts - $4::int, at_line_attempts = greatest(at_line_attempts - 1, 0), leased_until = statement_timestamp() + make_interval(secs => $3)
WHERE id = $1 AND token = $2::uuid AND NOT is_done RETURNING 1
"""
# Written before its row is sent, in a transaction of its own.
_AT = """
UPDATE payments_payoutchunk
SET at_line_attempts = CASE WHEN at_line = $3 THEN at_line_attempts + 1 ELSE 2 END, at_line = $3,
    leased_until = statement_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND token = $2::uuid AND NOT is_done RETURNING at_line_attempts
"""


class LeaseLost(Exception):
    """Another worker has the chunk, or may have it: nothing was written."""


@dataclass
class Chunk:
    """A claimed chunk. `attempts` counts this claim. Until `held_until`, of this process's clock, it is surely ours."""

    id: int
    batch_id: int
    first_line: int
    last_line: int
    digest: str
    token: uuid.UUID
    attempts: int
    held_until: float = 0.0

    def holds(self) -> bool:
        """Whether the lease surely outlasts a send that begins now: another worker may take the chunk after it."""
        longest = settings.BANK_TIMEOUT + min(settings.BANK_TIMEOUT, CONNECT_SECONDS)
        return time.monotonic() + longest < self.held_until

    def renewed(self, at: float) -> None:
        """Note, once it is committed, that the lease was renewed not before `at`, of `time.monotonic`."""
        self.held_until = at + settings.PAYOUT_LEASE

    def renew(self) -> None:
        """Keep the lease. Raises LeaseLost."""
        self._own(statements.fetch(_RENEW, self.id, self.token, settings.PAYOUT_LEASE))

    def end(self) -> None:
        """Every row has ended or is known to be open. Raises LeaseLost."""
        self._own(statements.fetch(_END, self.id, self.token))

    def give_back(self, seconds: float, *, in_doubt: bool = False) -> None:
        """Let any worker go on after `seconds`. Not counted as an attempt, unless a row is in doubt."""
        statements.fetch(_YIELD, self.id, self.token, seconds, int(not in_doubt))

    def begin_row(self, line: int) -> int:
        """Note that the row is sent next. Returns how many workers tried it, this one included. Raises LeaseLost.

        The first try was in the attempt before, with all other rows.
        """
        now = time.monotonic()
        attempts: int = self._own(statements.fetch(_AT, self.id, self.token, line, settings.PAYOUT_LEASE))[0]
        self.renewed(now)
        return attempts

    @staticmethod
    def _own(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        if not rows:
            raise LeaseLost
        return rows[0]


def claim(batch_id: int | None = None) -> Chunk | None:
    """The next chunk of the company whose turn it is, or of one batch; None where there is none that may begin now."""
    now = time.monotonic()
    with transaction.atomic():
        statements.execute(_TURN)  # a statement of its own: the claim must see what the one before it has committed
        found = statements.fetch(_NEXT, batch_id, settings.PAYOUT_CHUNKS)
        taken = statements.fetch(_TAKE, found[0][0], settings.PAYOUT_LEASE) if found else []
    if not taken:
        return None
    chunk = Chunk(*taken[0])
    chunk.renewed(now)
    return chunk
