"""What can be followed, all of it by the company's log of events.

A resolver yields lists: each item of them is one result. `events` tells the log itself. The others subscribe first, then read
what they tell, and read it anew when the log has news of it: a client that comes back gets the state as it is then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import strawberry
from strawberry.scalars import JSON

from payments import models
from payments.graphql.accounts import Balance
from payments.graphql.batches import Batch
from payments.graphql.charges import Charge
from payments.graphql.context import Info
from payments.graphql.errors import Refused
from payments.graphql.queries import charge_of
from payments.graphql.scalars import EventNumber
from payments.selectors import balances, batches
from woovi import pubsub
from woovi.pubsub import Entry, Pace, Reset, hub

PAUSE = 0.25  # seconds between two readings at least, however many events there are; the latest is told
HIDDEN = b'"topic":"refund.requested"'  # it names no charge

News: TypeAlias = AsyncGenerator[list[Any], None]
_readings: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Any, asyncio.Task[Any]]] = WeakKeyDictionary()


@strawberry.type(description="An event of the log. The topics and payloads are those of webhooks, and our own.")
class Event:
    """Source: the frame of an entry."""

    number: EventNumber
    id: strawberry.ID
    topic: str
    at: datetime
    payload: JSON


@lru_cache(512)
def event(frame: bytes) -> Event:
    """The event in a frame of the log."""
    told = json.loads(frame)
    return Event(
        number=told["seq"],
        id=told["id"],
        topic=told["topic"],
        at=datetime.fromisoformat(told["at"]),
        payload=told["payload"],
    )


@strawberry.type
class Subscription:
    """The roots of subscriptions."""

    @strawberry.subscription(
        graphql_type=Event, description="Every event after the number `after`, once, in order; without it, new ones."
    )
    async def events(self, info: Info, after: EventNumber | None = None) -> News:
        async with hub().subscribe(str(info.context.company.pk), after) as subscription:
            while True:
                try:
                    yield await subscription.next()
                except Pace:
                    continue
                except Reset as told:
                    raise Refused(
                        "The log was begun anew: read again what you show, and go on after `head`",
                        "RESET",
                        head=told.head,
                    ) from None

    @strawberry.subscription(graphql_type=Charge | None, description="A charge, now and whenever it changes.")
    async def charge(self, info: Info, id: strawberry.ID) -> News:  # noqa: A002
        company = info.context.company
        found = await hub().reader.database(charge_of, company, id)
        if found is None:
            yield [None]
            return

        def concerns(entry: Entry) -> bool:
            return found.txid.encode() in entry.frame or HIDDEN in entry.frame

        async for each in _states(company, found.txid, lambda: charge_of(company, found.txid), concerns):
            yield each

    @strawberry.subscription(graphql_type=Balance, description="The balance, now and whenever it changes.")
    async def balance(self, info: Info) -> News:
        company = info.context.company

        def read() -> balances.Balance:
            return balances.balance(models.Company.objects.get(pk=company.pk))

        async for each in _states(company, "balance", read):
            yield each

    @strawberry.subscription(
        graphql_type=Batch | None, description="A batch, now and while it is paid; the latest, a few times a second."
    )
    async def batch(self, info: Info, id: strawberry.ID) -> News:  # noqa: A002
        company = info.context.company
        async for each in _states(company, f"batch {id}", lambda: batches.find(company, id)):
            yield each
            if each == [None]:
                return


async def _states(
    company: models.Company, what: str, read: Callable[[], Any], concerns: Callable[[Entry], bool] = bool
) -> News:
    """What `read` gives, now and after every event that concerns it. It may be what it was before."""
    async with hub().subscribe(str(company.pk)) as subscription:
        while True:
            subscription.skip()
            yield [await _read_once((company.pk, what, subscription.position), read)]
            await asyncio.sleep(PAUSE)
            while not await _news(subscription, concerns):
                pass


async def _read_once(key: tuple[int, str, int], read: Callable[[], Any]) -> Any:
    """Read for everybody who follows the same now and has heard of the same events: a hundred pages are one reading."""
    readings = _readings.setdefault(asyncio.get_running_loop(), {})
    if key not in readings:
        readings[key] = asyncio.create_task(hub().reader.database(read))
        readings[key].add_done_callback(lambda _: readings.pop(key))
    return await asyncio.shield(readings[key])


async def _news(subscription: pubsub.Subscription, concerns: Callable[[Entry], bool]) -> bool:
    """Whether the next entries concern the reader, or may have."""
    try:
        return any(map(concerns, await subscription.next()))
    except Pace:
        return False
    except Reset:
        return True
