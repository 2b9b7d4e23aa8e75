"""Leave an endpoint alone that fails, so that it holds no worker: of all that wait for it, one delivery tries now and then.

    open  --4 failures in a row-->  paused until …  --one delivery is tried-->  open, or paused for twice as long

What waits keeps its tries meanwhile. A try here is one by any worker of any process: the state is the endpoint's row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from payments.models import WebhookDelivery, WebhookEndpoint
from woovi import outbox

FAILURES = 4  # in a row, whatever is between them: the tries of one endpoint that a process makes at once
LONGEST = timedelta(minutes=5)
GIVEN_UP = timedelta(days=1)  # a delivery that is due for so long, of an endpoint that still fails, is FAILED
Status = WebhookDelivery.Status


def may_try(now: datetime, prefix: str = "") -> Q:
    """Condition on an endpoint, whose columns begin with `prefix`: it is not paused, or may be probed."""
    return Q(**{f"{prefix}paused_until": None}) | Q(**{f"{prefix}paused_until__lte": now})


class Entry(Enum):
    """How a try begins. It is decided once: the endpoint may be paused by others while the try is under way."""

    REFUSED = "refused"
    PLAIN = "plain"
    PROBE = "probe"


def enter(delivery_id: int, now: datetime, until: datetime) -> Entry:
    """How a delivery may be tried now. Of those that come after a pause one may: until `until` it is the probe.

    Call it before the delivery's row is locked, as whoever switches an endpoint off locks them.
    """
    paused = WebhookEndpoint.objects.filter(deliveries=delivery_id, paused_until__isnull=False)
    if (endpoint_id := paused.values_list("pk", flat=True).first()) is None:
        return Entry.PLAIN
    taken = WebhookEndpoint.objects.filter(pk=endpoint_id, paused_until__lte=now).update(paused_until=until)
    return Entry.PROBE if taken else Entry.REFUSED


def succeeded(endpoint: WebhookEndpoint) -> None:
    """Any delivery that arrives ends the pause."""
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk, failures__gt=0)
    row.update(failures=0, paused_until=None, failing_since=None)


def failed(endpoint: WebhookEndpoint, now: datetime, entry: Entry) -> None:
    """Count the failure of a try that began as `entry`, when the row was as `endpoint` is.

    Tries that were under way when the pause began do not lengthen it. Call it, as `succeeded`, with no row locked.
    """
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if entry == Entry.PROBE:
        row = row.filter(failures__gt=0)
        row.update(failures=F("failures") + 1, paused_until=now + _pause(endpoint.failures + 1))
        WebhookDelivery.objects.filter(
            endpoint_id=endpoint.pk, status=Status.PENDING, next_attempt_at__lt=now - GIVEN_UP
        ).update(status=Status.FAILED, leased_until=None)
        return
    row.filter(paused_until=None).update(failures=F("failures") + 1)
    with transaction.atomic():
        due = row.filter(paused_until=None, failures__gte=FAILURES)
        if due.update(paused_until=now + _pause(FAILURES), failing_since=now):
            # Refreshes the company's pages, which have a notice of it.
            outbox.write("webhook.failing", str(endpoint.company_id), {"webhook": endpoint.public_id})


def probe_now(endpoint: WebhookEndpoint, now: datetime) -> None:
    """End the pause early, for a person: the next delivery is tried."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk, paused_until__gt=now).update(paused_until=now)


def _pause(failures: int) -> timedelta:
    doubled: int = settings.WEBHOOK_BACKOFF * 2 ** min(failures - FAILURES, 20)
    return min(timedelta(seconds=doubled), LONGEST)
