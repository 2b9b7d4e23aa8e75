"""The settings that a frozen Redis makes necessary, and what a publisher is told by one that is full."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from woovi import outbox, queue, redis
from woovi.celery import app
from woovi.queue.application import LONGEST_WAIT


def test_publishing_is_bounded_in_time() -> None:
    assert app.conf.broker_transport_options["socket_timeout"] <= 2
    assert not app.conf.task_publish_retry


def test_a_full_broker_is_alarmed_about_and_its_messages_wait(caplog: pytest.LogCaptureFixture) -> None:
    broker = redis.client("broker")
    broker.config_set("maxmemory", 1)
    try:
        with pytest.raises(outbox.Unavailable):
            queue.send([("sweep_webhooks", {})])
    finally:
        broker.config_set("maxmemory", 0)
    assert [(each.levelno, "full" in each.getMessage()) for each in caplog.records] == [(logging.ERROR, True)]


@pytest.mark.parametrize("wait", [{"countdown": 61}, {"eta": datetime(2100, 1, 1, tzinfo=UTC)}, {"eta": "2100-01-01"}])
def test_a_task_that_is_to_wait_long_in_a_workers_memory_is_refused(wait: dict[str, Any]) -> None:
    app.loader.import_default_modules()
    task = app.tasks["payments.sweep_webhooks"]
    with pytest.raises(ValueError, match=r"sweep_webhooks is to wait .* write a row with its time"):
        task.apply_async(**wait)
    with pytest.raises(ValueError, match="is to wait"):
        app.send_task("payments.sweep_webhooks", **wait)


def test_no_task_of_ours_tries_again_after_longer_than_that() -> None:
    """A refusal would come too late for a task that tries again: its message is gone by then."""
    app.loader.import_default_modules()
    tasks = [
        task for name, task in app.tasks.items() if name.startswith("payments.") and hasattr(task, "autoretry_for")
    ]
    assert tasks
    for task in tasks:
        longest = task.retry_backoff_max if task.retry_backoff else task.default_retry_delay
        assert longest <= LONGEST_WAIT, task.name
