"""The settings that a frozen Redis makes necessary."""

from __future__ import annotations

from woovi.celery import app


def test_every_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_publishing_is_bounded_in_time() -> None:
    assert app.conf.broker_transport_options["socket_timeout"] <= 2
    assert not app.conf.task_publish_retry
