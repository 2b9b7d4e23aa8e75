"""What a worker does with a hint. One merchant that hangs may hold a few workers of a process, never all of them."""

from __future__ import annotations

import threading
import time

from payments.services import webhook_delivery

AT_ONCE = 4  # tries of one endpoint at a time, in each worker process
BUDGET = 30.0  # seconds after which a worker leaves the rest of an endpoint's deliveries to others

_turns: dict[int, threading.Semaphore] = {}


def work(delivery_id: int, after: int, endpoint_id: int) -> None:
    """Try the hinted delivery, and then whatever else is due for its endpoint.

    Where enough are at work on the endpoint the hint is let go: those come to its delivery, or the sweep does.
    """
    turn = _turns.setdefault(endpoint_id, threading.Semaphore(AT_ONCE))
    if not turn.acquire(blocking=False):
        return
    try:
        deadline = time.monotonic() + BUDGET
        found: tuple[int, int] | None = (delivery_id, after)
        while found and time.monotonic() < deadline:
            webhook_delivery.deliver(*found)
            found = webhook_delivery.next_due(endpoint_id)
    finally:
        turn.release()
