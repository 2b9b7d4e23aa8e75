"""Queue periodic jobs when they are due: each once, however many processes run this, and late rather than never.

    QUEUE_PERIODIC = "woovi.schedule.SCHEDULE"  # {"sweep_webhooks": Every(2, expires=10), "prune": Daily(7, 10), ...}

A job's next time is a row in PostgreSQL. A process leases a due row, queues the task and sets the next time; if it dies in
between, another one queues the task when the lease ends. Celery's beat was rejected: two of them queue everything twice,
one of them is a single point of failure, and a daily job whose minute it missed waits for the next day.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.utils.module_loading import import_string

from woovi import outbox, queue
from woovi.queue.models import PeriodicJob

LEASE = timedelta(seconds=20)  # longer than the broker's time-outs
POLL = 0.5  # seconds between looks at what is due
PREPARE = 60.0  # seconds between looks whether the rows are those of the schedule
GONE = timedelta(days=7)  # after which a job of no schedule is forgotten
LATE = timedelta(minutes=1)  # after which a job that was queued late is logged

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Every:
    """A job of every so many `seconds`. A worker that gets it more than `expires` seconds late, by its own clock, skips it.

    `expires` is far above the difference of two machines' clocks.
    """

    seconds: float
    expires: float

    def after(self, now: datetime) -> datetime:
        """The next time after `now`."""
        return now + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Daily:
    """A job of every day at `hour:minute` UTC."""

    hour: int
    minute: int
    expires: float = 3600

    def after(self, now: datetime) -> datetime:
        """The next time after `now`."""
        today = now.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)


Schedule = Mapping[str, Every | Daily]


# One statement. Rejected: Django's delete(), which selects first, and would delete a job that was brought back in between.
_FORGET = "DELETE FROM queue_periodicjob WHERE NOT name = ANY(%s) AND due_at < %s"


def _database_time() -> datetime:
    """The time by PostgreSQL's clock, which all relays share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


class Timetable:
    """Queues the jobs of `schedule`, or those of the settings."""

    def __init__(self, schedule: Schedule | None = None) -> None:
        self.schedule: Schedule = schedule or import_string(settings.QUEUE_PERIODIC)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End within a poll."""
        self._stopping.set()

    def run(self) -> None:
        """Queue what is due until stopped. Outlives PostgreSQL's and the broker's restarts, and any other error."""
        prepared_at = -PREPARE
        while not self._stopping.is_set():
            try:
                if time.monotonic() - prepared_at >= PREPARE:
                    self.prepare()
                    prepared_at = time.monotonic()
                self.once()
            except (OperationalError, InterfaceError) as error:
                logger.warning("PostgreSQL is away, trying again: %s", str(error).strip())
                connection.close()
            except Exception:
                logger.exception("the periodic jobs failed, trying again")
            self._stopping.wait(POLL)

    def prepare(self, now: datetime | None = None) -> None:
        """Add a row for each new job, bring forward what a changed schedule wants sooner, and remove what is long gone.

        A job that is not in this process's schedule may be in a newer version's, so it stays for a week.
        """
        now = now or _database_time()
        for name, when in self.schedule.items():
            soonest = when.after(now)
            job, made = PeriodicJob.objects.get_or_create(name=name, defaults={"due_at": soonest})
            if not made and job.due_at > soonest:
                PeriodicJob.objects.filter(name=name, due_at=job.due_at).update(due_at=soonest)
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [list(self.schedule), now - GONE])

    def once(self, now: datetime | None = None) -> list[str]:
        """Queue the jobs that are due. Returns their names; without the broker they stay due."""
        now = now or _database_time()
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        queued = []
        for name, due_at in PeriodicJob.objects.filter(free, due_at__lte=now).values_list("name", "due_at"):
            job = PeriodicJob.objects.filter(free, name=name, due_at=due_at)
            if name in self.schedule and job.update(leased_until=now + LEASE) and self._queue(name, due_at, now):
                queued.append(name)
        return queued

    def _queue(self, name: str, due_at: datetime, now: datetime) -> bool:
        when = self.schedule[name]
        leased = PeriodicJob.objects.filter(name=name, due_at=due_at)
        try:
            queue.send([(name, {})], expires=when.expires)
        except outbox.Unavailable as error:
            logger.warning("%s waits: %s", name, error)
            leased.update(leased_until=None)
            return False
        if isinstance(when, Daily) and now - due_at > LATE:
            logger.warning("%s was due at %s and is queued now", name, due_at)
        leased.update(due_at=when.after(now), queued_at=now, leased_until=None)
        return True
