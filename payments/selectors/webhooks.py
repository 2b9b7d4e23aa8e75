"""Deliveries of webhooks as their company sees them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from payments.models import Company, WebhookDelivery, WebhookEndpoint

Status = WebhookDelivery.Status


def with_counts(endpoints: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    """The endpoints, each annotated with `failed` and `pending`: how many of its deliveries are."""
    return endpoints.annotate(failed=_count(Status.FAILED), pending=_count(Status.PENDING))


def _count(status: str) -> Coalesce:
    """A sub-query, so that deliveries that are done, of which there may be millions, are not read (`webhook_unfinished`)."""
    found = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), status=status).order_by()
    return Coalesce(Subquery(found.values("endpoint").annotate(count=Count("*")).values("count")), 0)


def deliveries(endpoint: WebhookEndpoint, status: str, before: int, limit: int) -> list[WebhookDelivery]:
    """Up to `limit` deliveries of the endpoint, newest first; of one status, and older than the id `before`, if given."""
    found = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event").defer("event__payload")
    if status:
        found = found.filter(status=status)
    if before:
        found = found.filter(pk__lt=before)
    return list(found.order_by("-id")[:limit])


def delivery(company: Company, endpoint: str, event: UUID) -> WebhookDelivery | None:
    """The delivery of the event to the company's endpoint, with its tries; None where there is none."""
    found = WebhookDelivery.objects.filter(
        endpoint__company=company, endpoint__public_id=endpoint, endpoint__deleted_at=None, event__event_id=event
    )
    return found.select_related("endpoint", "event").prefetch_related("tries").first()
