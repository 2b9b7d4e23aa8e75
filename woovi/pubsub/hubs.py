"""One reader a process: it hears wake-ups, looks at PostgreSQL for those that it missed, and tells the feeds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError

from woovi.pubsub.feeds import Feed, Subscription
from woovi.pubsub.log import Reader
from woovi.pubsub.metrics import count
from woovi.pubsub.wake import Listener

LOOK = 5.0  # seconds between looks at PostgreSQL, for wake-ups that were lost
LOOK_DEAF = 1.0  # seconds, while Redis is away

logger = logging.getLogger(__name__)


class Hub:
    """The feeds of one event loop. It listens while there is a subscriber or a watcher."""

    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.watchers: dict[str, set[asyncio.Event]] = {}  # by subject: set when it is revoked
        self.reader = Reader()
        self.listener = Listener(self._heard, self._again, self._deaf)
        self.live = True  # until it is found out that nothing is heard
        self._look_now = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def subscribe(self, tenant: str, after: int | None = None) -> AsyncIterator[Subscription]:
        """Subscribe to what comes after the number `after`; without it, to what comes from now on.

        It subscribes first and asks where the log ends then, so nothing falls in between. Raises django.db.Error.
        """
        feed = self.feeds.setdefault(tenant, Feed(tenant, self.reader))
        feed.pace(self.live)
        feed.users += 1
        self._listen()
        try:
            if feed.head < 0:
                head = (await self.reader.heads([tenant]))[tenant]
                if feed.head < 0:  # nobody else was quicker
                    target = feed.target
                    feed.begin(head)
                    feed.news(target)
            if after is not None and after > feed.head:
                feed.news((await self.reader.heads([tenant]))[tenant])
                while feed.head < min(after, feed.target):
                    await feed.changed()
            yield Subscription(feed, feed.head if after is None else after)
        finally:
            feed.users -= 1
            if not feed.users:
                feed.close()
                del self.feeds[tenant]
            self._rest()

    @contextlib.contextmanager
    def watch(self, *subjects: str) -> Iterator[asyncio.Event]:
        """An event that is set when one of the subjects is revoked, or may have been while nobody heard."""
        revoked = asyncio.Event()
        for subject in subjects:
            self.watchers.setdefault(subject, set()).add(revoked)
        self._listen()
        try:
            yield revoked
        finally:
            for subject in subjects:
                self.watchers[subject].discard(revoked)
                if not self.watchers[subject]:
                    del self.watchers[subject]
            self._rest()

    def _listen(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self.listener.run()), asyncio.create_task(self._look())]

    def _rest(self) -> None:
        if not self.feeds and not self.watchers:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def _heard(self, message: str) -> None:
        count("wakes")
        if message.startswith("!"):
            for revoked in self.watchers.get(message[1:], ()):
                revoked.set()
            return
        for part in message.split():
            tenant, _, seq = part.rpartition("=")
            if feed := self.feeds.get(tenant):
                feed.news(int(seq))

    def _again(self) -> None:
        """Redis is heard from now on; what was published before was missed."""
        self._pace(True)
        self._look_now.set()
        for watching in self.watchers.values():
            for revoked in watching:
                revoked.set()

    def _deaf(self) -> None:
        if self.live:
            self._look_now.set()  # and not only when the long pause between two looks is over
        self._pace(False)

    def _pace(self, live: bool) -> None:
        self.live = self.reader.live = live
        for feed in self.feeds.values():
            feed.pace(live)

    async def _look(self) -> None:
        """Ask PostgreSQL, every few seconds and for all tenants at once, where their logs end."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK if self.listener.hears else LOOK_DEAF):
                    await self._look_now.wait()
            self._look_now.clear()
            before = {tenant: feed.head for tenant, feed in self.feeds.items()}
            try:
                heads = await self.reader.heads(before)
            except DatabaseError as error:
                logger.warning("the log's heads cannot be read: %s", error)
                continue
            for tenant, head in heads.items():
                feed = self.feeds.get(tenant)
                if feed and head < before[tenant]:
                    feed.begin(head)
                elif feed and head > feed.head:
                    count("missed wakes", int(head > feed.target))
                    feed.news(head)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running event loop's hub."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
