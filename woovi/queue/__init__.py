"""Tasks sent to workers. A message is a hint: what is due is read where it is kept, so one may be lost or doubled.

    QUEUE_APP = "woovi.celery.app"      # the Celery application, imported when the first task is sent
    QUEUE_PREFIX = "payments."          # begins every task's name
    OUTBOX_HANDLERS = {"task:": "woovi.queue.carry"}
    QUEUE_PERIODIC = "woovi.schedule.SCHEDULE"  # what woovi.queue.periodic queues by the clock

    queue.send([("deliver_webhook", {"delivery_id": 7})])

A process that only sends tasks imports Celery with the first one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

from woovi import outbox, trace

if TYPE_CHECKING:
    from celery import Celery

    from woovi.outbox.models import OutboxEvent

__all__ = ["carry", "send", "threads"]

logger = logging.getLogger(__name__)


@cache
def _app() -> Celery:
    app: Celery = import_string(settings.QUEUE_APP)
    return app


def send(
    messages: Iterable[tuple[str, dict[str, Any]]], expires: float | None = None, countdown: float | None = None
) -> None:
    """Queue tasks of (name without its prefix, keyword arguments).

    Workers begin them after `countdown` seconds, a minute at most, and skip them after `expires` seconds.

    A task runs in the trace of the argument `traceparent`, which it does not get itself, or else in that of the caller.

    Raises:
        outbox.Unavailable: the broker is away or full.
    """
    app = _app()
    from kombu.exceptions import OperationalError
    from redis.exceptions import OutOfMemoryError

    try:
        with app.producer_or_acquire() as producer:
            for name, given in messages:
                kwargs = dict(given)
                headers = {trace.HEADER: kwargs.pop(trace.HEADER, trace.current())}
                name = f"{settings.QUEUE_PREFIX}{name}"
                app.send_task(
                    name, kwargs=kwargs, producer=producer, expires=expires, countdown=countdown, headers=headers
                )
    except (OperationalError, OSError) as error:
        if isinstance(error.__cause__, OutOfMemoryError):
            logger.error("the broker is full: no task is queued until it has room (redis_doctor says how much)")
        raise outbox.Unavailable(f"the broker is away: {error}") from error


def carry(events: Iterable[OutboxEvent]) -> None:
    """Outbox handler of `task:NAME`: queue the task with the event's payload as keyword arguments."""
    send((event.topic.removeprefix(outbox.TASK), event.payload) for event in events)


def threads() -> int:
    """How many tasks this worker process runs at once (`celery worker -c`)."""
    return int(_app().conf.worker_concurrency)
