"""The settings that a frozen Redis makes necessary, and what a publisher is told by one that is full."""

from __future__ import annotations

import logging

import pytest

from woovi import outbox, queue, redis
from woovi.celery import app


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
