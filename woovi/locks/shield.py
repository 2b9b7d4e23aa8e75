"""`asyncio.shield` that also waits: work that was begun is finished although its task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def shielded(work: Awaitable[T]) -> T:
    """Return the result of `work`, or raise its error. A cancellation is raised once `work` has ended.

    A command that was sent to Redis must be waited for: if it were cancelled half-way, the server might run it after
    the command that undoes it.
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
