"""What waits and what is in doubt: figures over the rows that are open, by PostgreSQL and not by the broker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from payments.models import (
    Account,
    BankDifference,
    Payment,
    PayoutBatch,
    PayoutChunk,
    Proposal,
    Refund,
    SetAsidePix,
    WebhookDelivery,
    WebhookEndpoint,
)
from woovi.outbox.models import OutboxEvent
from woovi.queue.models import PeriodicJob

DAY = timedelta(days=1)

# Each figure's help, for whoever reads it.
FIGURES = {
    "outbox_waiting": "Events that no relay has carried.",
    "outbox_oldest_seconds": "Age of the oldest of them.",
    "webhooks_due": "Webhooks whose time has come, of endpoints that are not paused.",
    "webhooks_late_seconds": "How long the longest due of them waits.",
    "webhooks_failed": "Webhooks of the last day that were given up.",
    "webhooks_paused": "Endpoints that failed, and are left alone for a while.",
    "refunds_open": "Refunds that the bank has not ended.",
    "refunds_oldest_seconds": "Age of the oldest of them.",
    "refunds_contradicted": "Refunds that ended otherwise at the bank.",
    "payments_open": "Payments that the bank has not ended, in batches or not.",
    "payments_oldest_seconds": "Age of the oldest of them, since its approval.",
    "payments_unknown": "Payments that the bank left without an answer.",
    "payments_quarantined": "Rows of batches about which an operator must decide.",
    "payments_contradicted": "Payments that ended otherwise at the bank.",
    "batches_running": "Batches that are being paid.",
    "chunks_waiting": "Chunks of running batches that nobody pays.",
    "chunks_oldest_seconds": "How long the running batch waits that has waited longest for a worker.",
    "chunks_in_doubt": "Chunks that a worker left behind, whose rows are looked up.",
    "differences_open": "Differences from the bank's books that nobody has explained.",
    "pix_set_aside": "Pix that could not be read or booked.",
    "proposals_open": "Acts that wait for a second operator.",
    "suspense_centavos": "Payers' money that is not on its way back to them.",
    "chunks_taken_over": "How often chunks of the last day's batches went to another worker: a lease ended, or a row was in doubt.",
    "requeued_total": "What sweeps had to put again, because a message was lost or late.",
}


def read(now: datetime | None = None) -> dict[str, float]:
    """The figures by name. Ages are seconds, 0 where nothing waits."""
    now = now or timezone.now()

    def age(oldest: datetime | None) -> float:
        return max((now - oldest).total_seconds(), 0.0) if oldest else 0.0

    failed = WebhookDelivery.objects.filter(status=WebhookDelivery.Status.FAILED, created_at__gte=now - DAY)
    due = WebhookDelivery.objects.filter(
        status=WebhookDelivery.Status.PENDING, next_attempt_at__lt=now, endpoint__paused_until=None
    )
    late = due.aggregate(count=Count("id"), oldest=Min("next_attempt_at"))
    returns = Refund.objects.filter(status=Refund.Status.IN_PROCESSING).aggregate(
        count=Count("id"), oldest=Min("created_at")
    )
    suspense = Account.objects.filter(kind=Account.Kind.SUSPENSE).aggregate(sum=Sum(F("posted") - F("pending_out")))
    events = OutboxEvent.objects.filter(relayed_at=None).aggregate(count=Count("id"), oldest=Min("created_at"))
    open_ = Payment.objects.filter(status__in=Payment.OPEN).aggregate(
        count=Count("id"), oldest=Min("approved_at"), unknown=Count("unknown_since")
    )
    chunks: dict[str, Any] = PayoutChunk.objects.filter(
        is_done=False, batch__status=PayoutBatch.Status.RUNNING
    ).aggregate(
        waiting=Count("id", filter=Q(leased_until=None) | Q(leased_until__lt=now)),
        doubted=Count("id", filter=Q(attempts__gt=1)),
    )
    idle = PayoutBatch.objects.filter(status=PayoutBatch.Status.RUNNING).exclude(chunks__leased_until__gte=now)
    recent = PayoutChunk.objects.filter(batch__approved_at__gte=now - timedelta(days=1), attempts__gt=1)
    return {
        "outbox_waiting": events["count"],
        "outbox_oldest_seconds": age(events["oldest"]),
        "webhooks_due": late["count"],
        "webhooks_late_seconds": age(late["oldest"]),
        "webhooks_failed": failed.count(),
        "webhooks_paused": WebhookEndpoint.objects.filter(is_active=True, paused_until__isnull=False).count(),
        "refunds_open": returns["count"],
        "refunds_oldest_seconds": age(returns["oldest"]),
        "refunds_contradicted": Refund.objects.filter(contradicted_at__isnull=False).count(),
        "payments_open": open_["count"],
        "payments_oldest_seconds": age(open_["oldest"]),
        "payments_unknown": open_["unknown"],
        "payments_quarantined": Payment.objects.filter(status=Payment.Status.QUARANTINED).count(),
        "payments_contradicted": Payment.objects.filter(contradicted_at__isnull=False).count(),
        "batches_running": PayoutBatch.objects.filter(status=PayoutBatch.Status.RUNNING).count(),
        "chunks_waiting": chunks["waiting"],
        "chunks_oldest_seconds": age(idle.aggregate(oldest=Min(Greatest("approved_at", "served_at")))["oldest"]),
        "chunks_in_doubt": chunks["doubted"],
        "differences_open": BankDifference.objects.filter(status=BankDifference.Status.OPEN).count(),
        "pix_set_aside": SetAsidePix.objects.filter(resolved_at=None).count(),
        "proposals_open": Proposal.objects.filter(status__in=Proposal.OPEN).count(),
        "suspense_centavos": suspense["sum"] or 0,
        "chunks_taken_over": recent.aggregate(times=Sum(F("attempts") - 1, default=0))["times"],
        "requeued_total": PeriodicJob.objects.aggregate(times=Sum("requeued", default=0))["times"],
    }
