"""A tenant's new events in one process: read once, for any number of subscribers.

A subscriber has no queue, only a position in the log. One that keeps up gets the entries that were just read. One that is
behind reads the log again from its position. So a slow subscriber costs no memory, loses nothing and delays nobody.
"""

from __future__ import annotations

import asyncio
import logging

from django.db import Error as DatabaseError

from woovi.pubsub.log import Reader
from woovi.pubsub.metrics import count
from woovi.pubsub.stream import Entry

RECENT = 256  # entries of a tenant that are kept at hand
CATCH_UP = 50  # entries that a subscriber that is behind gets at a time, and holds in memory until they are sent

logger = logging.getLogger(__name__)


class Reset(Exception):
    """The position is after the log's end, because the log was restarted. Reload what is shown, and go on from `head`."""

    def __init__(self, head: int) -> None:
        super().__init__(f"the log ends at {head}")
        self.head = head


class Pace(Exception):
    """From now on events come at once (`live`), or a second or two late, by polling PostgreSQL."""

    def __init__(self, live: bool) -> None:
        super().__init__("live" if live else "late")
        self.live = live


class Feed:
    """What one tenant's subscribers share."""

    def __init__(self, tenant: str, reader: Reader) -> None:
        self.tenant, self.reader = tenant, reader
        self.head = -1  # how far it has read; -1: not asked yet
        self.target = 0  # how far the log is known to go
        self.epoch = 0
        self.recent: list[Entry] = []  # the last ones up to `head`, without a gap
        self.users = 0
        self.live = True  # False while wake-ups are known not to arrive
        self._changed = asyncio.Event()
        self._pull: asyncio.Task[None] | None = None

    async def changed(self) -> None:
        await self._changed.wait()

    def news(self, target: int) -> None:
        """Note that the log has entries up to `target`, and wake the reader."""
        self.target = max(self.target, target)
        if 0 <= self.head < self.target and (self._pull is None or self._pull.done()):
            self._pull = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        try:
            while self.head < self.target:
                epoch, found = await self.reader.read(self.tenant, self.head)
                before, self.epoch = self.epoch, epoch or self.epoch
                if before and before != self.epoch:
                    await self._compare()
                    continue
                if not found:
                    return
                self._add(found)
        except DatabaseError as error:
            logger.warning("the log cannot be read until the next look: %s", error)

    async def _compare(self) -> None:
        """Decide after the stream was restarted: was Redis emptied, or PostgreSQL restored to an earlier state?"""
        head = (await self.reader.heads([self.tenant]))[self.tenant]
        if head < self.head:
            self.begin(head)

    def begin(self, head: int) -> None:
        """Begin, or begin anew, at `head`."""
        if self.head >= 0:
            count("resets")
        self.head = self.target = head
        self.recent = []
        self._wake()

    def _add(self, found: list[Entry]) -> None:
        self.recent += found
        del self.recent[:-RECENT]
        self.head = found[-1].seq
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def pace(self, live: bool) -> None:
        if self.live != live:
            self.live = live
            self._wake()

    def at_hand(self, after: int) -> list[Entry]:
        """The entries right after `after`, where they are all at hand."""
        missing = self.head - after
        return self.recent[-missing:] if missing <= len(self.recent) else []

    def close(self) -> None:
        if self._pull:
            self._pull.cancel()


class Subscription:
    """One subscriber, who has seen the log up to `position`."""

    def __init__(self, feed: Feed, position: int) -> None:
        self.feed, self.position = feed, position
        self.live = True  # what it was told

    @property
    def head(self) -> int:
        """How far the log is known to go."""
        return max(self.feed.target, self.feed.head)

    def skip(self) -> None:
        """Leave aside what has come by now: the caller reads the database anew, which has it all."""
        self.position = self.feed.head

    async def next(self) -> list[Entry]:
        """The entries right after `position`, which moves behind them; waits where there are none.

        Raises Pace, Reset, and django.db.Error where older entries can be read nowhere.
        """
        while self.position == self.feed.head:
            if self.live != self.feed.live:
                self.live = self.feed.live
                raise Pace(self.live)
            await self.feed.changed()
        if self.position > self.feed.head:
            raise Reset(self.feed.head)
        entries = self.feed.at_hand(self.position)
        if not entries:
            behind = self.feed.head - self.position
            _, entries = await self.feed.reader.read(self.feed.tenant, self.position, min(behind, CATCH_UP))
            if not entries:
                raise Reset(self.feed.head)
        self.position = entries[-1].seq
        return entries
