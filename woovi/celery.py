"""The Celery application. Its messages are hints: what is due is read from PostgreSQL, so one may be lost or doubled.

celery -A woovi worker -Q webhooks     # threads: the tasks wait for merchants and banks, they do not compute
celery -A woovi worker -Q bank -c 4    # a worker of its own: a bank that hangs must not keep webhooks waiting
celery -A woovi worker -Q payments -c 8   # payments, which wait for nothing else
celery -A woovi worker -Q batches -c 2    # payout batches

Workers run with `--without-gossip --without-mingle --without-heartbeat`. Discovering other workers costs every new
connection three seconds, and their heartbeats block while Redis does not answer.
"""

from __future__ import annotations

import logging
import os
import signal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "woovi.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # Django's checks load every URL; deployments run `manage.py check`

from typing import Any

import kombu
from celery.app.amqp import AMQP
from celery.signals import celeryd_init, worker_shutting_down
from celery.worker import state
from django.conf import settings

from woovi.local import embedded
from woovi.queue.application import Application

logger = logging.getLogger(__name__)

LAST_TASKS = 5.0  # seconds for running tasks to finish at SIGTERM; the supervisor kills after seven


class Connection(kombu.Connection):
    """A connection to the broker that is tried again every second."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Retry every second. kombu's wait grows by two seconds up to thirty, during which the worker hears nothing."""
        options |= {"interval_start": 1, "interval_step": 0, "interval_max": 1}
        return super().ensure_connection(*args, **options)


class Broker(AMQP):
    """Makes such connections."""

    Connection = Connection


app = Application("woovi", amqp=Broker)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    **settings.QUEUE_BROKER,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a worker waits for Redis without limit
    task_ignore_result=True,
    task_publish_retry=False,  # the outbox retries, and a frozen Redis must not block whoever publishes
    # Acknowledged at the start, since messages are hints: sweeps repeat what a crashed worker began.
    task_acks_late=False,
    task_default_queue="webhooks",
    # A hanging bank can block four threads at most: the messages of periodic jobs expire before the next ones come, and a sweep
    # stops after its time. Two sweeps at once repeat each other's work, which is harmless.
    task_routes={
        f"payments.{name}": {"queue": "bank"} for name in ("reconcile", "check_refunds", "send_refund", "compare_bank")
    }
    | {f"payments.{name}": {"queue": "payments"} for name in ("send_payment", "check_payments")}
    | {f"payments.{name}": {"queue": "batches"} for name in ("pay_batches", "sweep_batches")},
    task_serializer="json",
    worker_pool="threads",
    worker_concurrency=32,
    # Fetch a task only when a thread is free. A fetched task would wait behind busy threads while another worker is
    # idle, and run even if it has expired or was revoked meanwhile.
    worker_disable_prefetch=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    enable_utc=True,
)
app.autodiscover_tasks()


def _begin(**options: Any) -> None:
    """Set up a worker. Not at import, since mypy and the checks import this module too."""
    embedded.ensure()
    if isinstance(threads := options.get("options", {}).get("concurrency"), int):
        app.conf.worker_concurrency = threads  # `-c`; woovi.queue.threads reads it


def _bound_the_end(**_: object) -> None:
    """End the process LAST_TASKS seconds after SIGTERM: Celery waits for a pool of threads without limit."""
    signal.signal(signal.SIGALRM, _cut_off)
    signal.setitimer(signal.ITIMER_REAL, LAST_TASKS)


def _cut_off(*_: object) -> None:
    running = ", ".join(sorted({request.name for request in state.active_requests})) or "none"
    logger.warning("the worker ends while tasks run, which a sweep will find: %s", running)
    os._exit(0)


celeryd_init.connect(_begin)
worker_shutting_down.connect(_bound_the_end)
