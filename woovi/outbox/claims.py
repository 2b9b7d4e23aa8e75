"""Which relay owns which rows, decided by PostgreSQL in one statement each and by its clock alone."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from woovi.outbox.models import OutboxEvent

# SKIP LOCKED keeps two relays from claiming the same rows at once, the lease keeps them apart afterwards.
# Rows whose lease ended come beside the fresh ones, a batch of each at most, so that neither starves the other.
CLAIM = """
WITH due AS (
    SELECT id FROM outbox_outboxevent
    WHERE relayed_at IS NULL AND leased_until <= statement_timestamp()
    ORDER BY leased_until LIMIT %(due)s FOR UPDATE SKIP LOCKED
), fresh AS (
    SELECT id FROM outbox_outboxevent
    WHERE relayed_at IS NULL AND leased_until IS NULL AND id > %(above)s
    ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox_outboxevent
SET leased_until = statement_timestamp() + make_interval(secs => %(lease)s), attempts = attempts + 1
WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM fresh)
RETURNING *
"""

RELAYED = "UPDATE outbox_outboxevent SET relayed_at = statement_timestamp() WHERE id = ANY(%s) AND relayed_at IS NULL"

# 0.5 s, 1 s, 2 s ... 30 s. Never dropped: an event is a promise.
POSTPONE = """
UPDATE outbox_outboxevent
SET leased_until = statement_timestamp() + make_interval(secs => least(30, 0.25 * power(2, least(attempts, 10))))
WHERE id = ANY(%s) AND relayed_at IS NULL
"""


def claim(batch: int, lease: float, above: int | None = None) -> list[OutboxEvent]:
    """Lease up to `batch` fresh and `batch` due events for `lease` seconds. Returns them in the order of their ids.

    With `above`, only fresh ones of a higher id: a cheap look even while a long transaction elsewhere (a dump, a
    report) keeps PostgreSQL from forgetting the index entries of thousands that are relayed.
    """
    due = batch if above is None else 0
    events = OutboxEvent.objects.raw(CLAIM, {"batch": batch, "due": due, "above": above or 0, "lease": lease})
    return sorted(events, key=lambda event: event.id)


def settle(relayed: Collection[int], failed: Collection[int]) -> None:
    """Close what was carried; let what failed wait for longer each time.

    It does not ask whether the lease still holds: a relay that was too slow has carried its events all the same.
    """
    with connection.cursor() as cursor:
        if relayed:
            cursor.execute(RELAYED, [list(relayed)])
        if failed:
            cursor.execute(POSTPONE, [list(failed)])
