"""What the same flood does to Channels' queueing layer: why events go by the log."""

from __future__ import annotations

import asyncio

import pytest
from channels_redis.core import RedisChannelLayer

from tests.processes import own_valkey


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # channels_redis leaves sockets to the GC
def test_the_stock_layer_loses_merchant_1s_event_in_merchant_2s_flood() -> None:
    async def flooded() -> bool:
        layer = RedisChannelLayer(hosts=[valkey.url])
        one, two = await layer.new_channel(), await layer.new_channel()
        await layer.group_add("company.1", one)
        await layer.group_add("company.2", two)
        for number in range(150):
            await layer.group_send("company.2", {"type": "event", "seq": number})
        await layer.group_send("company.1", {"type": "event", "seq": 1})  # raises nothing
        try:
            async with asyncio.timeout(1):
                return bool(await layer.receive(one))
        except TimeoutError:
            return False
        finally:
            await layer.close_pools()

    with own_valkey() as valkey:
        assert not asyncio.run(flooded())
