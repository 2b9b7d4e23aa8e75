"""The broker's URL in kombu's spelling, and the settings that a frozen Redis makes necessary."""

from __future__ import annotations

import pytest

from woovi.celery import app, broker_url


@pytest.mark.parametrize(
    ("ours", "kombus"),
    [
        ("unix:///run/valkey.sock?db=3", "redis+socket:///run/valkey.sock?virtual_host=3"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix://user:word@/run/valkey.sock", "redis+socket://user:word@/run/valkey.sock?virtual_host=0"),
        ("redis://:word@host:6379/1", "redis://:word@host:6379/1"),
        ("rediss://host:6379/1", "rediss://host:6379/1?ssl_cert_reqs=required"),
        ("rediss://host/1?ssl_cert_reqs=none", "rediss://host/1?ssl_cert_reqs=none"),
    ],
)
def test_broker_url(ours: str, kombus: str) -> None:
    assert broker_url(ours) == kombus


def test_every_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_publishing_is_bounded_in_time() -> None:
    assert app.conf.broker_transport_options["socket_timeout"] <= 2
    assert not app.conf.task_publish_retry
