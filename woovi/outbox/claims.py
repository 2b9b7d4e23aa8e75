"""Which relay owns which rows, and which number an event has in its tenant's log: decided by PostgreSQL and its clock.

A number is given when an event is first claimed, to what has committed by then, by one relay at a time. So once a
number can be seen, every lower one can be seen too: who reads the log by numbers skips nothing. Numbers of the table's
sequence would not do: they are taken before the commit, and a reader that has seen 7 would never look for a 5 that
commits late. A counter in the business transaction would make a tenant's payments wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from woovi.outbox.models import OutboxEvent
from woovi.statements import columns, execute, rows

# Orders the claims. Held during one claim, for milliseconds; not while handlers run.
TURN = "SELECT pg_advisory_xact_lock(hashtext('outbox_claim'))"

# The lease keeps relays apart after their claims. SKIP LOCKED, because rows may be settled at this moment.
# Up to one batch of fresh rows and one of rows whose lease ended, so that neither starves the other.
CLAIM = """
WITH due AS (
    SELECT id, tenant, topic, seq FROM outbox_outboxevent
    WHERE relayed_at IS NULL AND leased_until <= statement_timestamp()
    ORDER BY leased_until LIMIT $1 FOR UPDATE SKIP LOCKED
), fresh AS (
    SELECT id, tenant, topic, seq FROM outbox_outboxevent
    WHERE relayed_at IS NULL AND leased_until IS NULL AND id > $2
    ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    SELECT *, seq IS NULL AND topic !~ '^[a-z]+:' AS is_new
    FROM (SELECT * FROM due UNION ALL SELECT * FROM fresh) rows
), heads AS (
    SELECT tenant, coalesce((
        SELECT seq FROM outbox_outboxevent log WHERE log.tenant = t.tenant AND seq IS NOT NULL
        ORDER BY seq DESC LIMIT 1
    ), 0) AS head
    FROM (SELECT DISTINCT tenant FROM claimed WHERE is_new) t
), numbered AS (
    SELECT id, head + row_number() OVER (PARTITION BY tenant ORDER BY id) AS seq
    FROM claimed JOIN heads USING (tenant) WHERE is_new
)
UPDATE outbox_outboxevent event
SET leased_until = statement_timestamp() + make_interval(secs => $4), attempts = attempts + 1,
    seq = coalesce(event.seq, numbered.seq)
FROM claimed LEFT JOIN numbered USING (id)
WHERE event.id = claimed.id
RETURNING {columns}
""".replace("{columns}", columns(OutboxEvent, "event"))

# A mark does not wait for the disk: if a crash of PostgreSQL loses it, the event is carried once more. A claim does wait,
# because it gives the numbers: subscribers have seen a number by then, and it must not go to another event.
RELAYED = """
WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
UPDATE outbox_outboxevent SET relayed_at = statement_timestamp() FROM unsynced
WHERE id = ANY($1::bigint[]) AND relayed_at IS NULL
"""

# Retried after 0.5 s, 1 s, 2 s ... 30 s, and never dropped: each event must arrive.
POSTPONE = """
WITH unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
UPDATE outbox_outboxevent
SET leased_until = statement_timestamp() + make_interval(secs => least(30, 0.25 * power(2, least(attempts, 10))))
FROM unsynced WHERE id = ANY($1::bigint[]) AND relayed_at IS NULL
"""


def claim(batch: int, lease: float, above: int | None = None) -> list[OutboxEvent]:
    """Lease up to `batch` fresh and `batch` due events for `lease` seconds, and number those that have no number yet.

    Returns them in the order of their ids.

    With `above`, only fresh ones of a higher id: a cheap look even while a long transaction elsewhere (a dump, a
    report) keeps PostgreSQL from forgetting the index entries of thousands that are relayed.
    """
    due = batch if above is None else 0
    with transaction.atomic():
        execute(TURN)  # a statement of its own: the claim must see what the one before it has committed
        claimed = [event for (event,) in rows([OutboxEvent], CLAIM, due, above or 0, batch, lease)]
    return sorted(claimed, key=lambda event: event.id)


def settle(relayed: Collection[int], failed: Collection[int]) -> None:
    """Mark the events with these ids: `relayed` are done, `failed` are retried, later after each failure.

    Call it outside a transaction, whose commit would not wait for the disk either. It does not ask whether the lease
    still holds: a relay that was too slow has carried its events all the same.
    """
    if relayed:
        execute(RELAYED, list(relayed))
    if failed:
        execute(POSTPONE, list(failed))
