"""Finish what was begun, though the task is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def unbroken(work: Awaitable[T]) -> T:
    """The answer of `work`, or what it raises. A cancellation is raised after its end.

    A command that was sent is waited for: cancelled half-way, it might be carried out after the one that undoes it.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            break
    if cancelled:
        raise cancelled
    return task.result()
