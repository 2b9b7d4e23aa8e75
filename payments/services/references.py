"""A company's own ids of what it pays: each is used once, for one payment or for one row of one batch.

No unique index says so: rows of a batch are written when the file is read, and their payments once they were sent.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from payments.models import Payment, PayoutBatch, PayoutRow

Status = PayoutBatch.Status
_LIVE = (Status.VALIDATED, Status.AWAITING_APPROVAL, Status.RUNNING, Status.PAUSED)

# Until the transaction ends. A payment's creation needs to keep only batches out: its own index keeps out its like.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('references'), hashtext(%s))"
_BESIDE_PAYMENTS = "SELECT pg_advisory_xact_lock_shared(hashtext('references'), hashtext(%s))"

# Rows whose reference is that of a row before it, of a payment of the company, or of another batch that is not over.
_USED = """
SELECT batch_id, line, first, paid FROM (
    SELECT batch_id, line, min(line) OVER (PARTITION BY reference) AS first,
        -- two questions, because single payments and those of batches have an index each
        EXISTS (SELECT FROM payments_payment p WHERE p.company_id = %(company)s AND p.correlation_id = reference
                AND p.batch_id IS NULL)
        OR EXISTS (SELECT FROM payments_payment p WHERE p.company_id = %(company)s AND p.correlation_id = reference
                AND p.batch_id IS NOT NULL) AS paid,
        reference IN (SELECT o.reference FROM payments_payoutrow o WHERE o.batch_id = ANY (%(others)s)) AS elsewhere
    FROM payments_payoutrow WHERE batch_id = %(batch)s
) r WHERE first < line OR paid OR elsewhere
"""
_REPORT = f"""
INSERT INTO payments_payoutproblem (batch_id, line, "column", reason)
SELECT batch_id, line, %(column)s, CASE
    WHEN first < line THEN 'is that of line ' || first || ' too'
    WHEN paid THEN 'was used for another payment' ELSE 'is in another batch' END
FROM ({_USED}) used
"""  # noqa: S608 (constants)


def decide_alone(company_id: int) -> None:
    """Let nobody else use a reference of the company before the running transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, [str(company_id)])


def in_batches(company_id: int, reference: str) -> bool:
    """Whether a batch uses it. No batch will before the running transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_BESIDE_PAYMENTS, [str(company_id)])
    of_payments = Payment.objects.filter(company_id=company_id, correlation_id=reference, batch__isnull=False)
    live = list(_live(company_id).values_list("pk", flat=True))
    return of_payments.exists() or PayoutRow.objects.filter(batch__in=live, reference=reference).exists()


def report_used(batch: PayoutBatch, column: str) -> None:
    """Write a problem of `column` for each row whose reference is used already. The caller decides alone."""
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, {**_names(batch), "column": column})


def first_used(batch: PayoutBatch) -> int | None:
    """The first line whose reference is used already. The caller decides alone."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(line) FROM ({_USED}) used", _names(batch))  # noqa: S608 (constants)
        line: int | None = cursor.fetchone()[0]
        return line


def _names(batch: PayoutBatch) -> dict[str, Any]:
    others = _live(batch.company_id).exclude(pk=batch.pk)
    return {"batch": batch.pk, "company": batch.company_id, "others": list(others.values_list("pk", flat=True))}


def _live(company_id: int) -> QuerySet[PayoutBatch]:
    """Batches that may still pay a row which has no payment: a cancelled one too, while it reserves for rows in doubt."""
    return PayoutBatch.objects.filter(Q(status__in=_LIVE) | Q(hold__isnull=False), company_id=company_id)
