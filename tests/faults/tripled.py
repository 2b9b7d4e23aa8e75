"""The product's Celery application, which sends every message three times, as a broker may that loses acknowledgements."""

from __future__ import annotations

from typing import Any

from woovi.celery import app

__all__ = ["app"]

_once = app.send_task


def _thrice(*arguments: Any, **options: Any) -> Any:
    for _ in range(2):
        _once(*arguments, **options)
    return _once(*arguments, **options)


app.send_task = _thrice
