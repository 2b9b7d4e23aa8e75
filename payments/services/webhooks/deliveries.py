"""Deliver events to merchants: at least once, always with the same id and body, whatever crashes.

The delivery's row is the truth. A queued message is a hint: "try delivery 7, which was tried n times". A try begins by
changing n to n + 1 in one conditional update, so of several hints for the same try only one calls the merchant.
`leased_until` says until when no new hint is needed: the sweep hints a due delivery again after that.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from payments.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.services import switches
from payments.services.errors import Invalid
from payments.services.webhooks import breaker
from payments.services.webhooks.events import event_names, payload
from payments.services.webhooks.signing import headers
from woovi import database, outbox, queue, statements
from woovi.http import outgoing
from woovi.outbox.models import OutboxEvent
from woovi.queue import requeued

Status = WebhookDelivery.Status
HINT = timedelta(seconds=15)  # until a lost hint is repeated
MARGIN = timedelta(seconds=20)  # of a try's lease above WEBHOOK_TIMEOUT
TURN = Window(RowNumber(), partition_by=F("endpoint__company_id"), order_by=F("next_attempt_at").asc())
FAIR = ("turn", "next_attempt_at")

logger = logging.getLogger(__name__)


_ENDPOINTS = """
SELECT id, company_id, event FROM payments_webhookendpoint WHERE is_active AND company_id = ANY($1::bigint[])
"""


def fan_out(events: list[OutboxEvent]) -> None:
    """Handle public events of the outbox: create a delivery for each active endpoint of the event, and hint it."""
    names = {event.pk: event_names(event.topic) for event in events}
    endpoints = statements.fetch(_ENDPOINTS, list({int(event.tenant) for event in events}))
    lease = timezone.now() + HINT
    rows = [
        WebhookDelivery(endpoint_id=endpoint_id, event=event, leased_until=lease)
        for event in events
        for endpoint_id, company_id, name in endpoints
        if str(company_id) == event.tenant and name in names[event.pk]
    ]
    if rows:
        WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
        fresh = WebhookDelivery.objects.filter(event__in=events, status=Status.PENDING, attempts=0)
        hint(fresh.filter(breaker.may_try(timezone.now(), "endpoint__")))


def hint(deliveries: Iterable[WebhookDelivery]) -> None:
    """Ask workers to try the deliveries. Where the broker is away, end their leases, so the next sweep hints them."""
    hinted = list(deliveries)
    try:
        queue.send(
            ("deliver_webhook", {"delivery_id": row.pk, "after": row.attempts, "endpoint_id": row.endpoint_id})
            for row in hinted
        )
    except outbox.Unavailable as error:
        logger.warning("%s deliveries wait: %s", len(hinted), error)
        rows = WebhookDelivery.objects.filter(pk__in=[row.pk for row in hinted])
        rows.filter(leased_until__lte=timezone.now() + HINT).update(leased_until=None)


def sweep(limit: int = 500, now: datetime | None = None) -> int:
    """Hint up to `limit` deliveries that are due and have no lease. Returns how many.

    First the oldest of every company, then every company's second, and so on: one with thousands delays nobody else.
    """
    now = now or timezone.now()
    free = _idle(now).filter(Q(leased_until=None) | Q(leased_until__lte=now))
    # Two queries: PostgreSQL cannot lock the rows of a query with a window function.
    listed = list(free.annotate(turn=TURN).order_by(*FAIR).values_list("pk", flat=True)[:limit])
    with transaction.atomic():
        due = list(free.filter(pk__in=listed).select_for_update(skip_locked=True, of=("self",)))
        WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(leased_until=now + HINT)
    hint(due)
    if hinted := [delivery.pk for delivery in due if delivery.leased_until]:
        # Not of an endpoint that fails: of its hints all but the probe's are dropped.
        lost = WebhookDelivery.objects.filter(pk__in=hinted, endpoint__failures=0)
        requeued.note("sweep_webhooks", lost.count(), now)
    return len(due)


def next_due(company_id: int, full: Collection[int] = ()) -> tuple[int, int, int] | None:
    """The company's longest due delivery that is not being tried, skipping endpoints in `full`.

    Returns its id, its number of tries and its endpoint's id; None where there is none.
    """
    idle = _idle(timezone.now()).filter(endpoint__company_id=company_id).exclude(endpoint_id__in=full)
    return idle.order_by("next_attempt_at").values_list("pk", "attempts", "endpoint_id").first()


def deliver(delivery_id: int, after: int, now: datetime | None = None) -> Status | None:
    """Try a delivery that was tried `after` times before. Returns its new status, or None where the hint was stale.

    Must not be called inside a transaction: the merchant is called between two of them.
    """
    begun = _begin(delivery_id, after, now or timezone.now())
    if begun is None:
        return None
    attempt, entry = begun
    endpoint, event = attempt.delivery.endpoint, attempt.delivery.event
    body = _body(attempt.delivery)
    sent = headers(endpoint, body) | {"X-Webhook-Event-Id": str(event.event_id)}
    database.let_go()  # a merchant may be slow, and many workers may wait
    answer = outgoing.post(endpoint.url, body, sent, settings.WEBHOOK_TIMEOUT)
    status = _finish(attempt, answer, now or timezone.now())
    if answer.accepted:
        breaker.succeeded(endpoint)
    else:
        breaker.failed(endpoint, now or timezone.now(), entry)
    return status


def resend(delivery: WebhookDelivery, now: datetime | None = None) -> None:
    """Try a finished delivery once more, also where its endpoint is paused.

    Raises Invalid where its endpoint is inactive or the delivery is not finished.
    """
    now = now or timezone.now()
    if not delivery.endpoint.is_active:
        raise Invalid("the webhook is inactive or deleted")
    if (
        not WebhookDelivery.objects.filter(pk=delivery.pk)
        .exclude(status=Status.PENDING)
        .update(status=Status.PENDING, next_attempt_at=now, leased_until=now + HINT, delivered_at=None)
    ):
        raise Invalid("the delivery is not finished")
    breaker.probe_now(delivery.endpoint, now)
    hint(WebhookDelivery.objects.filter(pk=delivery.pk))


def resend_failed(endpoint: WebhookEndpoint, now: datetime | None = None) -> int:
    """Make all failed deliveries of the endpoint due again, and return how many.

    The sweep hints them, every company in its turn, because there may be thousands. Raises Invalid where the endpoint is
    inactive.
    """
    if not endpoint.is_active:
        raise Invalid("the webhook is inactive or deleted")
    now = now or timezone.now()
    failed = WebhookDelivery.objects.filter(endpoint=endpoint, status=Status.FAILED)
    count = failed.update(status=Status.PENDING, next_attempt_at=now, leased_until=None)
    breaker.probe_now(endpoint, now)
    return count


def _idle(now: datetime) -> QuerySet[WebhookDelivery]:
    """Deliveries that are due and not being tried, of endpoints that are not paused. A try's lease is longer than a hint's.

    Deleted endpoints are included: an event at the moment of deletion may leave a delivery, which its try marks FAILED.
    """
    if switches.is_off(switches.Name.WEBHOOKS):
        return WebhookDelivery.objects.none()
    due = WebhookDelivery.objects.filter(status=Status.PENDING, next_attempt_at__lte=now)
    due = due.filter(breaker.may_try(now, "endpoint__"))
    return due.filter(Q(leased_until=None) | Q(leased_until__lte=now + HINT))


def _begin(delivery_id: int, after: int, now: datetime) -> tuple[WebhookAttempt, breaker.Entry] | None:
    """Claim the try and record it, committed before the merchant is called.

    None where it is not due or was claimed, its endpoint is paused, or webhooks are switched off.
    """
    if switches.is_off(switches.Name.WEBHOOKS):
        return None
    lease = now + timedelta(seconds=settings.WEBHOOK_TIMEOUT) + MARGIN
    with transaction.atomic():
        entry = breaker.enter(delivery_id, now, lease)
        if entry == breaker.Entry.REFUSED:
            return None
        # No condition on the endpoint: Django would put it into a subquery, which PostgreSQL does not evaluate again
        # after waiting for another worker's update, so both would claim the try.
        claimed = WebhookDelivery.objects.filter(
            pk=delivery_id, status=Status.PENDING, attempts=after, next_attempt_at__lte=now
        ).update(attempts=F("attempts") + 1, leased_until=lease)
        if not claimed:
            transaction.set_rollback(True)  # somebody else may be the probe
            return None
        delivery = WebhookDelivery.objects.select_related("endpoint", "event").get(pk=delivery_id)
        if not delivery.endpoint.is_active:
            WebhookDelivery.objects.filter(pk=delivery_id).update(status=Status.FAILED, leased_until=None)
            return None
        first = delivery.attempts == 1  # the body is the same at every try, and kept once
        attempt = WebhookAttempt.objects.create(
            delivery=delivery, number=delivery.attempts, started_at=now,
            request_body=_body(delivery).decode() if first else "",
        )  # fmt: skip
        return attempt, entry


def _body(delivery: WebhookDelivery) -> bytes:
    body = payload(delivery.endpoint.event, delivery.event.payload)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _finish(attempt: WebhookAttempt, answer: outgoing.Answer, now: datetime) -> Status:
    """Record the answer, and mark the delivery DELIVERED, FAILED, or due again. Returns its status."""
    delivery = WebhookDelivery.objects.filter(pk=attempt.delivery_id)
    with transaction.atomic():
        WebhookAttempt.objects.filter(pk=attempt.pk).update(
            status_code=answer.status_code,
            response_body=answer.body,
            error=answer.error,
            milliseconds=answer.milliseconds,
        )
        if answer.accepted:  # even if the lease has ended and another worker tries too
            delivery.update(status=Status.DELIVERED, delivered_at=now, leased_until=None)
            return Status.DELIVERED
        # Wait 10, 20, 40 ... seconds after the n-th failure. Only the latest try decides.
        latest = delivery.filter(status=Status.PENDING, attempts=attempt.number)
        if attempt.number >= settings.WEBHOOK_ATTEMPTS:
            latest.update(status=Status.FAILED, leased_until=None)
            return Status.FAILED
        wait = timedelta(seconds=settings.WEBHOOK_BACKOFF * 2 ** (attempt.number - 1))
        latest.update(next_attempt_at=now + wait, leased_until=None)
        return Status.PENDING
