"""The Celery application. Its messages are hints: what is due is read from PostgreSQL, so one may be lost or doubled.

celery -A woovi worker -Q webhooks     # threads: the tasks wait for merchants and banks, they do not compute
celery -A woovi worker -Q bank -c 4    # a worker of its own: a bank that hangs must not keep webhooks waiting
celery -A woovi beat
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # they load every URL: `manage.py check` is the deployment's step

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from kombu.exceptions import OperationalError

from woovi import embedded, outbox, redis

if TYPE_CHECKING:
    from woovi.outbox.models import OutboxEvent

VISIBILITY_TIMEOUT = (
    1800  # seconds until an unacknowledged message is given to another worker: 10 times the longest task
)


app = Celery("woovi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    **redis.celery_broker(visibility_timeout=VISIBILITY_TIMEOUT),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a worker waits for Redis as long as it takes
    task_ignore_result=True,
    task_publish_retry=False,  # the outbox tries again, and a frozen Redis must not hold its publisher
    # Acknowledged when started, as hints may be: sweeps repeat what a dead worker began. Late acknowledgement was
    # rejected because kombu 5.7 ends the whole worker when Redis dies while it holds unacknowledged messages.
    task_acks_late=False,
    task_default_queue="webhooks",
    # Four threads bound what a bank that hangs can hold: the beat's messages expire before the next ones come, and a
    # sweep looks at nothing more once its seconds are over. Two at once do the same harmless work.
    task_routes={f"payments.{name}": {"queue": "bank"} for name in ("reconcile", "check_refunds", "send_refund")},
    task_serializer="json",
    worker_pool="threads",
    worker_concurrency=32,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=8,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    enable_utc=True,
)
app.autodiscover_tasks()


def _start_engines(**_: object) -> None:
    """Where a worker or beat starts, and not where this module is imported: mypy and the checks import it too."""
    embedded.ensure()


celeryd_init.connect(_start_engines)
beat_init.connect(_start_engines)


def send(messages: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Queue tasks `payments.NAME` of (NAME, keyword arguments). Raises outbox.Unavailable where the broker is away."""
    try:
        with app.producer_or_acquire() as producer:
            for name, kwargs in messages:
                app.send_task(f"payments.{name}", kwargs=kwargs, producer=producer)
    except (OperationalError, OSError) as error:
        raise outbox.Unavailable(f"the broker is away: {error}") from error


def send_tasks(events: list[OutboxEvent]) -> None:
    """Outbox handler of `task:NAME`: queue the task with the event's payload as keyword arguments."""
    send((event.topic.removeprefix("task:"), event.payload) for event in events)
