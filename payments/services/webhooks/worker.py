"""What a worker does with a hint. One merchant that hangs may hold a few workers of a process, never all of them."""

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

ENDPOINT_AT_ONCE = 4  # tries at a time, in each worker process
COMPANY_SHARE = 4  # of a process's threads a company has one in so many: it may hang at every one of its endpoints
BUDGET = 30.0  # seconds after which a worker leaves the rest of a company's deliveries to others

_lock = threading.Lock()
_endpoints: Counter[int] = Counter()  # how many work on it now
_companies: Counter[int] = Counter()


def work(delivery_id: int, after: int, endpoint_id: int) -> None:
    """Try the hinted delivery, and then whatever else is due for its company.

    Where enough are at work on the endpoint or the company the hint is let go: those come to its delivery, or the
    sweep hints it again.
    """
    company_id = _company(endpoint_id)
    deadline = time.monotonic() + BUDGET
    found: tuple[int, int, int] | None = (delivery_id, after, endpoint_id)
    while found and time.monotonic() < deadline:
        with _turn(company_id, found[2]) as mine:
            if not mine:
                return
            deliveries.deliver(*found[:2])
        found = deliveries.next_due(company_id, _full())


@functools.lru_cache(maxsize=10_000)
def _company(endpoint_id: int) -> int:
    """Whose the endpoint is, for ever."""
    return WebhookEndpoint.objects.values_list("company_id", flat=True).get(pk=endpoint_id)


@contextlib.contextmanager
def _turn(company_id: int, endpoint_id: int) -> Iterator[bool]:
    """Whether there was room for one more; it is taken until the block ends."""
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
    """Endpoints that no further try may begin at."""
    with _lock:
        return [endpoint for endpoint, busy in _endpoints.items() if busy >= ENDPOINT_AT_ONCE]
