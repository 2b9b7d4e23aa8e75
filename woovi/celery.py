"""The Celery application. Its messages are hints: what is due is read from PostgreSQL, so one may be lost or doubled.

celery -A woovi worker -Q webhooks     # threads: the tasks wait for merchants and banks, they do not compute
celery -A woovi worker -Q bank -c 4    # a worker of its own: a bank that hangs must not keep webhooks waiting
celery -A woovi worker -Q payments -c 8   # payments, which wait for nothing else
celery -A woovi worker -Q batches -c 2    # payout batches
celery -A woovi beat

Workers get `--without-gossip --without-mingle --without-heartbeat`: looking for each other takes three seconds of every
new connection, and telling each other that they live holds them up at a Redis that does not answer.
"""

from __future__ import annotations

import logging
import os
import signal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # they load every URL: `manage.py check` is the deployment's step

from typing import Any

import kombu
from celery import Celery
from celery.app.amqp import AMQP
from celery.signals import beat_init, celeryd_init, worker_shutting_down
from celery.worker import state
from django.conf import settings

from woovi.local import embedded
from woovi.schedule import SCHEDULE

logger = logging.getLogger(__name__)

LAST_TASKS = 5.0  # seconds that a worker's tasks have when it is told to end; the supervisor kills after seven


class Connection(kombu.Connection):
    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Try again every second. kombu waits two seconds longer each time, up to thirty: so long a worker stays deaf."""
        options |= {"interval_start": 1, "interval_step": 0, "interval_max": 1}
        return super().ensure_connection(*args, **options)


class Broker(AMQP):
    Connection = Connection


app = Celery("woovi", amqp=Broker)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    **settings.QUEUE_BROKER,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a worker waits for Redis as long as it takes
    task_ignore_result=True,
    task_publish_retry=False,  # the outbox tries again, and a frozen Redis must not hold its publisher
    # Acknowledged when started, as hints may be: sweeps repeat what a dead worker began.
    task_acks_late=False,
    task_default_queue="webhooks",
    # Four threads bound what a bank that hangs can hold: the beat's messages expire before the next ones come, and a
    # sweep looks at nothing more once its seconds are over. Two at once do the same harmless work.
    task_routes={
        f"payments.{name}": {"queue": "bank"} for name in ("reconcile", "check_refunds", "send_refund", "compare_bank")
    }
    | {f"payments.{name}": {"queue": "payments"} for name in ("send_payment", "check_payments")}
    | {f"payments.{name}": {"queue": "batches"} for name in ("pay_batches", "sweep_batches")},
    beat_schedule=SCHEDULE,
    task_serializer="json",
    worker_pool="threads",
    worker_concurrency=32,
    # Nothing is fetched that no thread is free for. Once fetched, a task of a pool of threads would run however long ago
    # it expired or was revoked, and wait behind busy threads while another worker is idle.
    worker_disable_prefetch=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    enable_utc=True,
)
app.autodiscover_tasks()


def _begin(**options: Any) -> None:
    """Where a worker or beat starts, and not where this module is imported: mypy and the checks import it too."""
    embedded.ensure()
    if isinstance(threads := options.get("options", {}).get("concurrency"), int):
        app.conf.worker_concurrency = threads  # `-c`, for whoever shares the threads out


def _bound_the_end(**_: object) -> None:
    """Let running tasks go on for LAST_TASKS. A pool of threads is waited for without end, whatever Celery is told."""
    signal.signal(signal.SIGALRM, _cut_off)
    signal.setitimer(signal.ITIMER_REAL, LAST_TASKS)


def _cut_off(*_: object) -> None:
    running = ", ".join(sorted({request.name for request in state.active_requests})) or "none"
    logger.warning("the worker ends while tasks run, which a sweep will find: %s", running)
    os._exit(0)


celeryd_init.connect(_begin)
beat_init.connect(_begin)
worker_shutting_down.connect(_bound_the_end)
