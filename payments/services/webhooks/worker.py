"""Work on a hint. A merchant whose server hangs may block a few threads of a worker process, never all of them."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator

from payments.models import WebhookEndpoint
from payments.services.webhooks import deliveries
from woovi import queue

ENDPOINT_AT_ONCE = 4  # tries of one endpoint at a time, per worker process
COMPANY_SHARE = 4  # a company gets a quarter of a process's threads, since all of its endpoints may hang
BUDGET = 30.0  # seconds after which a worker leaves the rest of a company's deliveries to others

_lock = threading.Lock()
_endpoints: Counter[int] = Counter()  # threads that work on it now
_companies: Counter[int] = Counter()


def work(delivery_id: int, after: int, endpoint_id: int) -> None:
    """Try the hinted delivery, and then other due deliveries of its company, for up to BUDGET seconds.

    Where enough threads work on the endpoint or the company already, the hint is dropped: one of them will find the
    delivery, or the sweep hints it again.
    """
    company_id = _company(endpoint_id)
    deadline = time.monotonic() + BUDGET
    due: tuple[int, int, int] | None = (delivery_id, after, endpoint_id)
    while due and time.monotonic() < deadline:
        with _slot(company_id, due[2]) as has_slot:
            if not has_slot:
                return
            deliveries.deliver(*due[:2])
        due = deliveries.next_due(company_id, _full())


@functools.lru_cache(maxsize=10_000)
def _company(endpoint_id: int) -> int:
    """The company of the endpoint, which never changes."""
    return WebhookEndpoint.objects.values_list("company_id", flat=True).get(pk=endpoint_id)


@contextlib.contextmanager
def _slot(company_id: int, endpoint_id: int) -> Iterator[bool]:
    """Take a slot of the endpoint and the company until the block ends. Yields False where none is free."""
    with _lock:
        free = _endpoints[endpoint_id] < ENDPOINT_AT_ONCE and _companies[company_id] < _company_at_once()
        _count(company_id, endpoint_id, int(free))
    try:
        yield free
    finally:
        with _lock:
            _count(company_id, endpoint_id, -int(free))


def _company_at_once() -> int:
    return max(1, queue.threads() // COMPANY_SHARE)


def _count(company_id: int, endpoint_id: int, step: int) -> None:
    for busy, key in ((_companies, company_id), (_endpoints, endpoint_id)):
        busy[key] += step
        if not busy[key]:
            del busy[key]


def _full() -> list[int]:
    """Endpoints without a free slot."""
    with _lock:
        return [endpoint for endpoint, busy in _endpoints.items() if busy >= ENDPOINT_AT_ONCE]
