"""The product's Celery application with tasks that a test can see: `celery -A tests.faults.seen_tasks worker`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from woovi import trace
from woovi.celery import app

__all__ = ["app"]

if "FETCH_AHEAD" in os.environ:  # as Celery does by itself
    app.conf.worker_disable_prefetch = False


@app.task(name="tests.note")  # type: ignore[untyped-decorator]
def note(path: str, text: str) -> None:
    """Append a line."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


@app.task(name="tests.threads")  # type: ignore[untyped-decorator]
def threads(path: str) -> None:
    """Note how many threads the worker says that it has."""
    note(path, str(app.conf.worker_concurrency))


@app.task(name="tests.hold")  # type: ignore[untyped-decorator]
def hold(path: str, until: str) -> None:
    """Note that it began, and run until the file `until` exists."""
    note(path, "holds")
    while not Path(until).exists():
        time.sleep(0.01)


@app.task(name="tests.fail_once", bind=True, autoretry_for=(OSError,), retry_backoff=1, retry_jitter=False)  # type: ignore[untyped-decorator]
def fail_once(self: Any, path: str) -> None:
    """Note the try and its trace, and fail the first time, as mail does whose server is away."""
    note(path, f"try{self.request.retries}-{trace.current()[3:35]}")
    if not self.request.retries:
        raise ConnectionRefusedError
