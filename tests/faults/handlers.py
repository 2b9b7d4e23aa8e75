"""Outbox handlers that write down each event, and kill their own process at the step that KILL_AT names."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from woovi.outbox.models import OutboxEvent


def first(events: list[OutboxEvent]) -> None:
    _die_at("before handlers")
    _record("first", events[: len(events) // 2])
    _die_at("inside a handler")
    _record("first", events[len(events) // 2 :])
    _die_at("between handlers")


def second(events: list[OutboxEvent]) -> None:
    _record("second", events)
    while Path(os.environ["RECORD"]).with_suffix(".hold").exists():
        time.sleep(0.01)
    _die_at("before the mark")


def _record(handler: str, events: list[OutboxEvent]) -> None:
    with Path(os.environ["RECORD"]).open("a") as record:
        record.writelines(f"{handler} {event.event_id}\n" for event in events)


def _die_at(step: str) -> None:
    if os.environ.get("KILL_AT") == step:
        os.kill(os.getpid(), signal.SIGKILL)
