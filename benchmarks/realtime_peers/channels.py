"""Channels as its tutorial builds it: one group, one consumer, channels_redis's core layer or its pub/sub layer."""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings

LAYER = {"core": "channels_redis.core.RedisChannelLayer", "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer"}
settings.configure(
    SECRET_KEY="benchmark",
    CHANNEL_LAYERS={"default": {"BACKEND": LAYER[os.environ["LAYER"]], "CONFIG": {"hosts": [os.environ["REDIS"]]}}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402


class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.channel_layer.group_add("bench", self.channel_name)
        await self.accept()
        await self.send(text_data='{"type":"hello"}')

    async def event(self, message: dict[str, Any]) -> None:
        await self.send(text_data=message["text"])


application = Consumer.as_asgi()
