"""The Celery application that QUEUE_APP makes: what it refuses to send, and the trace in which its tasks run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery, Task
from celery.signals import task_postrun, task_prerun

from woovi import trace

LONGEST_WAIT = 60.0  # seconds


class Application(Celery):
    """Refuses tasks that are to wait long.

    A worker takes such a message at once and keeps it in its memory until the time has come: thousands fill it, and
    once the broker's visibility time-out has passed the task runs twice. What must happen later is a row with its time.
    """

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:
        """As Celery's. Raises ValueError where the task is to wait for more than LONGEST_WAIT seconds."""
        wait = options.get("countdown") or 0.0
        if (eta := options.get("eta")) is not None:
            moment = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            wait = (moment - datetime.now(UTC)) / timedelta(seconds=1)
        if wait > LONGEST_WAIT:
            raise ValueError(f"{name} is to wait {wait:.0f} s in a worker's memory: write a row with its time instead")
        return super().send_task(name, *args, **options)


_running: dict[str, AbstractContextManager[None]] = {}  # by the task's id


@task_prerun.connect
def _follow(task_id: str, task: Task[Any, Any], **_: Any) -> None:
    _running[task_id] = trace.following((task.request.headers or {}).get(trace.HEADER))
    _running[task_id].__enter__()


@task_postrun.connect
def _ended(task_id: str, **_: Any) -> None:
    if block := _running.pop(task_id, None):
        block.__exit__(None, None, None)
