"""The line in which strangers wait for this process, while known clients go past it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Line:
    """So many are served at once, some wait, and the rest is told to come back.

    A flood takes no more than what is left over, however fast the machine is.

    Args:
        room: how many may be inside now. It may change; who is inside stays.
        waiting: how many may wait.
        patience: seconds that one waits.
    """

    def __init__(self, room: Callable[[], int], waiting: int = 50, patience: float = 1.0) -> None:
        self._room, self._most, self._patience = room, waiting, patience
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> bool:
        """Wait for our turn. Returns whether it came; if so, call leave() at the end."""
        if self._inside < self._room():
            self._inside += 1
            return True
        if len(self._waiting) >= self._most:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except TimeoutError:
            return _came(turn)  # perhaps in the same moment
        except asyncio.CancelledError:
            if _came(turn):
                self.leave()
            raise
        finally:
            if not _came(turn):
                self._waiting.remove(turn)
        return True

    def leave(self) -> None:
        self._inside -= 1
        for turn in self._waiting.copy():
            if self._inside >= self._room():
                break
            if not turn.done():  # who gave up removes itself
                self._waiting.remove(turn)
                self._inside += 1
                turn.set_result(None)


def _came(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled()
