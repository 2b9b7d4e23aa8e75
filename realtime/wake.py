"""Outbox handler: tell a company's pages that there is news. What the news is they read themselves."""

from __future__ import annotations

import asyncio
from typing import TypedDict

from channels.layers import get_channel_layer

from woovi.outbox import Unavailable
from woovi.outbox.models import OutboxEvent

TIMEOUT = 1.0  # seconds for all of a batch's wake-ups
TASK = "task:"  # instructions to ourselves: no page cares

# One loop for as long as the relay lives: the channel layer keeps a connection per loop.
_runner = asyncio.Runner()


class Wake(TypedDict):
    """A message to a group, and (without `type`'s dot) the frame that the page gets."""

    type: str
    topics: list[str]
    id: int


def group(tenant: str) -> str:
    """The channel group of a company's pages."""
    return f"company.{tenant}"


def wake(events: list[OutboxEvent]) -> None:
    """Send one wake-up a tenant, however many of its events the batch has.

    Raises outbox.Unavailable where Redis does not take them in time.
    """
    wakes: dict[str, Wake] = {}
    for event in events:
        if not event.topic.startswith(TASK):
            message = wakes.setdefault(event.tenant, {"type": "wake", "topics": [], "id": 0})
            message["id"] = max(message["id"], event.id)
            if event.topic not in message["topics"]:
                message["topics"].append(event.topic)
    if wakes:
        _runner.run(_send(wakes))


async def _send(wakes: dict[str, Wake]) -> None:
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(TIMEOUT):
            for tenant, message in wakes.items():
                await layer.group_send(group(tenant), message)
    except Exception as error:  # redis-py's many errors: whatever it is, pages are woken later
        raise Unavailable(f"pages cannot be woken: {error!r}") from error
