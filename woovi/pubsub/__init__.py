"""A tenant's events to any number of listeners: in order, once each, none missed, whatever was away meanwhile.

    OUTBOX_HANDLERS = {"": "woovi.pubsub.carry"}

    async with hub().subscribe(tenant, after=41) as subscription:
        while True:
            for entry in await subscription.next():
                send(entry.frame)

The log is PostgreSQL's (`woovi.outbox` numbers it), its end is a Redis Stream with the same numbers, and a pub/sub
message says that there is more. docs/realtime.md tells the whole way of an event.
"""

from woovi.pubsub.carrier import carry, revoke
from woovi.pubsub.feeds import Pace, Reset, Subscription
from woovi.pubsub.hubs import Hub, hub
from woovi.pubsub.leases import NoPlace, Places, places
from woovi.pubsub.log import head, heads
from woovi.pubsub.metrics import metrics
from woovi.pubsub.stream import Entry

__all__ = [
    "Entry",
    "Hub",
    "NoPlace",
    "Pace",
    "Places",
    "Reset",
    "Subscription",
    "carry",
    "head",
    "heads",
    "hub",
    "metrics",
    "places",
    "revoke",
]
