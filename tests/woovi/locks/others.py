"""To be somebody else in one thread."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TypeVar

from woovi.locks import Lock, LockNotAvailable

T = TypeVar("T")


def elsewhere(act: Callable[[], T]) -> T:
    """As somebody else: a lock that is taken here is not known there, nor the other way round."""
    return contextvars.Context().run(act)


def free(*rows: tuple[str, object]) -> bool:
    """Whether Redis would give the rows to somebody else at once."""

    def look() -> bool:
        try:
            with Lock(*rows, nowait=True):
                return True
        except LockNotAvailable:
            return False

    return elsewhere(look)
