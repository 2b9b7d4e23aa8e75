"""The relay: claims events, runs their handlers, marks them. Any number may run, and any may die at any line.

A relay may die after it has handled an event and before it has marked it. The next relay handles it again, so handlers
must be idempotent. Order: a batch is handled in the order of the ids; across batches of several relays, and after a failure, a
later event of a tenant may come first. Strict order would let one bad event stop its tenant, so events carry what
happened and receivers read state.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.module_loading import import_string

from woovi.outbox import Unavailable, claims
from woovi.outbox.models import OutboxEvent

Handler = Callable[[list[OutboxEvent]], None]

BATCH = 250
LEASE = 20.0  # seconds; handlers time out well before it
POLL = 0.01  # seconds between polls, also after a batch: under load, events gather meanwhile
THOROUGH = 0.25  # seconds between polls of all rows; those in between look at the log's end only
LATE = 1000  # how far below the highest id a late commit is still found at once
RECONNECT = 0.5  # seconds

logger = logging.getLogger(__name__)


class Relay:
    """`handlers` maps a topic's prefix to what carries it; every prefix that matches runs, in this order."""

    def __init__(self, handlers: Mapping[str, Handler], batch: int = BATCH, lease: float = LEASE) -> None:
        self.handlers = handlers
        self.batch = batch
        self.lease = lease
        self.stopping = False
        self.latest = 0  # the highest id that it claimed

    @classmethod
    def configured(cls) -> Relay:
        return cls({prefix: import_string(path) for prefix, path in settings.OUTBOX_HANDLERS.items()})

    def stop(self, *_: object) -> None:
        """End after the batch at hand. Fit for a signal handler."""
        self.stopping = True

    def run(self) -> None:
        """Carry events until stopped. Outlives PostgreSQL's and Redis' restarts."""
        thorough_at = 0.0
        while not self.stopping:
            try:
                thorough = time.monotonic() >= thorough_at
                if thorough:
                    thorough_at = time.monotonic() + THOROUGH
                full = self.once(above=None if thorough else self.latest - LATE) >= self.batch
                pause = 0.0 if full else POLL
            except (OperationalError, InterfaceError) as error:
                logger.warning("PostgreSQL is away, trying again: %s", str(error).strip())
                connection.close()
                pause = RECONNECT
            time.sleep(pause)

    def once(self, above: int | None = None) -> int:
        """Claim one batch, of ids `above` where given, and carry it. Returns how many events it had."""
        events = claims.claim(self.batch, self.lease, above)
        if events:
            self.latest = max(self.latest, events[-1].id)
            failed = self._carry(events)
            claims.settle({event.id for event in events} - failed, failed)
        return len(events)

    def _carry(self, events: list[OutboxEvent]) -> set[int]:
        """Run the handlers. Returns the ids of events that one of them could not carry."""
        failed: set[int] = set()
        for prefix, handler in self.handlers.items():
            if group := [event for event in events if event.topic.startswith(prefix)]:
                failed |= self._run(handler, group)
        return failed

    def _run(self, handler: Handler, group: Sequence[OutboxEvent]) -> set[int]:
        try:
            handler(list(group))
        except Unavailable as error:
            logger.warning("%s events wait: %s", len(group), error)
            return {event.id for event in group}
        except (OperationalError, InterfaceError):
            raise  # PostgreSQL is away: the lease ends, and the events are claimed again
        except Exception:
            if len(group) > 1:  # one by one, so that one bad event does not block the others
                return set().union(*(self._run(handler, [event]) for event in group))
            logger.exception("event %s failed at its try %s", group[0], group[0].attempts)
            return {group[0].id}
        return set()
