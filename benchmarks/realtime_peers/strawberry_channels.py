"""Strawberry as its documentation builds subscriptions: its Channels consumer, and channels_redis's pub/sub layer."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS"]]},
        }
    },
)
django.setup()

import strawberry  # noqa: E402
from strawberry.channels import GraphQLWSConsumer  # noqa: E402


@strawberry.type
class Event:
    seq: int
    topic: str
    data: str


@strawberry.type
class Query:
    a: int = 1


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def events(self, info: strawberry.Info) -> AsyncGenerator[Event, None]:
        async with info.context["ws"].listen_to_channel("event", groups=["bench"]) as told:
            async for message in told:
                yield Event(seq=message["seq"], topic=message["topic"], data=message["data"])


application = GraphQLWSConsumer.as_asgi(schema=strawberry.Schema(Query, subscription=Subscription))
