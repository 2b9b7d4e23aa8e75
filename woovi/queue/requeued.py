"""How often a sweep had to do what a message should have started: it was lost with the broker, or its worker died with it.

Counted at the sweep's row in PostgreSQL, since Redis forgets at the very moment when messages are lost. Nothing is written
while all goes well.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import F

from woovi.queue.models import PeriodicJob

logger = logging.getLogger(__name__)


def note(sweep: str, count: int, now: datetime) -> None:
    """Add `count` to those of the periodic job `sweep`."""
    if count:
        PeriodicJob.objects.filter(name=sweep).update(requeued=F("requeued") + count, requeued_at=now)
        logger.warning("%s put %s again whose message was lost or late", sweep, count)
