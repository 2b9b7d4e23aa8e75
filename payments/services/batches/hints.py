"""Tell workers that there are rows to pay. A hint may be lost or doubled: leases in the database decide."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from payments.models import PayoutBatch, PayoutChunk
from woovi import outbox, queue
from woovi.queue import requeued

MOST = 20  # hints of one sweep
IDLE = timedelta(seconds=15)  # without a chunk begun or a batch approved, after which a message is taken for lost


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
    worker's death, whatever became of the messages. They are noted as lost where no worker pays any batch.
    """
    now = now or timezone.now()
    free = PayoutChunk.objects.filter(Q(leased_until=None) | Q(leased_until__lt=now))
    waiting = free.filter(batch=OuterRef("pk"), is_done=False)
    in_doubt = Q(status=PayoutBatch.Status.CANCELLED) & Exists(waiting.filter(attempts__gt=0)) & Q(reserved__gt=0)
    batches = PayoutBatch.objects.filter(Q(status=PayoutBatch.Status.RUNNING) & Exists(waiting) | in_doubt)
    found = batches.count()
    queue.send([("pay_batches", {})] * min(found * settings.PAYOUT_CHUNKS, MOST))
    if found and not _some_worker_pays(now):
        requeued.note("sweep_batches", found, now)
    return found


def _some_worker_pays(now: datetime) -> bool:
    """Whether a chunk is leased, or was until a moment ago: whoever pays goes on to the next batch, and hints others."""
    served = PayoutBatch.objects.filter(Q(served_at__gte=now - IDLE) | Q(approved_at__gte=now - IDLE))
    return PayoutChunk.objects.filter(is_done=False, leased_until__gte=now).exists() or served.exists()
