"""Tell workers that there are rows to pay. A hint may be lost or doubled: leases in the database decide."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from payments.models import PayoutBatch, PayoutChunk
from woovi import outbox, queue

MOST = 20  # hints of one sweep


def hint(batch: PayoutBatch) -> None:
    """Start workers when the running transaction commits."""
    tenant = str(batch.company_id)
    news = ("payout.changed", tenant, {"batch": batch.public_id})
    outbox.write_many([news, *[("task:pay_batches", tenant, {})] * settings.PAYOUT_CHUNKS])


def changed(batch: PayoutBatch) -> None:
    """Tell whoever watches the batch, where no worker is needed."""
    outbox.write("payout.changed", str(batch.company_id), {"batch": batch.public_id})


def sweep(now: datetime | None = None) -> int:
    """Hint every batch with a chunk to pay, or to look up, that nobody has. Returns how many.

    Also one that is paid well and has chunks left: a hint more does no harm. So work comes back within one lease of its
    worker's death, whatever became of the messages.
    """
    free = PayoutChunk.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now or timezone.now()))
    waiting = free.filter(batch=OuterRef("pk"), is_done=False)
    in_doubt = Q(status=PayoutBatch.Status.CANCELLED) & Exists(waiting.filter(attempts__gt=0)) & Q(reserved__gt=0)
    batches = PayoutBatch.objects.filter(Q(status=PayoutBatch.Status.RUNNING) & Exists(waiting) | in_doubt)
    found = batches.count()
    queue.send([("pay_batches", {})] * min(found * settings.PAYOUT_CHUNKS, MOST))
    return found
