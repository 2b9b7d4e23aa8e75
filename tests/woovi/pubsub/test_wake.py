"""A listener ends when it is told to, whatever it was doing, and leaves no connection behind."""

from __future__ import annotations

import asyncio
import gc

from woovi.pubsub.wake import Listener

STEP = 0.00005  # seconds; a listener hears after some 2 to 5 ms, and each run is cancelled a step later


async def test_a_cancelled_listener_ends_and_closes_its_connection() -> None:
    """Connections that are left open fail the test: a ResourceWarning is an error."""
    for turn in range(120):
        running = asyncio.create_task(Listener(lambda _: None, lambda: None, lambda: None).run())
        await asyncio.sleep(turn * STEP)
        running.cancel()
        _, pending = await asyncio.wait([running], timeout=10)
        assert not pending, f"still running, although cancelled after {turn * STEP:.5f} s"
    gc.collect()
