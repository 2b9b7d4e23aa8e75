"""Webhook endpoints, deliveries and attempts. Secrets are not shown."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.confirm import confirmed, on_each
from payments.admin.lists import Period
from payments.admin.records import Record, link, rows_link
from payments.models import Company, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.services.webhooks import deliveries


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(Record):
    """Merchants' endpoints, without their secrets."""

    list_display = ("public_id", "company", "event", "url", "is_active", "paused_until")
    list_filter = ("is_active", "event")
    list_select_related = ("company",)
    search_fields = ("public_id__exact", "url", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("Webhook id, part of its URL, or the company's id or tax id")
    exclude = ("secret", "authorization")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}  # or Django 5.2 warns


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Record):
    """Deliveries, which operators may send again."""

    list_display = (
        *("id", "created_at", "company", "topic", "url", "status"),
        *("attempts", "next_attempt_at", "tries"),
    )
    list_filter = (("created_at", Period), "status")
    list_select_related = ("event", "endpoint__company")
    search_fields = ("event__event_id__exact", "endpoint__public_id__exact", "endpoint__company__tax_id__exact")
    search_help_text = _("Event id, webhook id, or the company's tax id")
    ordering = ("-id",)
    exclude = ("event", "endpoint")
    readonly_fields = ("event_link", "endpoint_link", "tries")
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_webhookdelivery")

    @admin.action(description=_("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, deliveries: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        if page := confirmed(self, request, deliveries, "send_again", _("Send these webhooks again?")):
            return page
        on_each(self, request, deliveries, send_again)
        return None

    @admin.display(description=_("Company"))
    def company(self, delivery: WebhookDelivery) -> Company:
        return delivery.endpoint.company

    @admin.display(description=_("topic"))
    def topic(self, delivery: WebhookDelivery) -> str:
        return delivery.event.topic

    @admin.display(description=_("url"))
    def url(self, delivery: WebhookDelivery) -> str:
        return delivery.endpoint.url

    @admin.display(description=_("Event"))
    def event_link(self, delivery: WebhookDelivery) -> SafeString | str:
        return link(delivery.event)

    @admin.display(description=_("Endpoint"))
    def endpoint_link(self, delivery: WebhookDelivery) -> SafeString | str:
        return link(delivery.endpoint)

    @admin.display(description=_("Tries"))
    def tries(self, delivery: WebhookDelivery) -> SafeString:
        return rows_link(WebhookAttempt, _("Tries"), delivery__id__exact=delivery.pk)


def send_again(delivery: WebhookDelivery) -> str:
    """Make it due again. Returns a text for the log."""
    was = delivery.status
    deliveries.resend(delivery)
    return f"Sent again. status: {was} → {WebhookDelivery.Status.PENDING}"


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(Record):
    """Each request of a delivery, and its answer."""

    list_display = ("id", "started_at", "delivery_link", "number", "status_code", "milliseconds", "error")
    search_fields = ("delivery__event__event_id__exact", "delivery__endpoint__public_id__exact")
    search_help_text = _("Event id or webhook id")
    ordering = ("-id",)
    list_select_related = ("delivery",)

    @admin.display(description=_("Delivery"))
    def delivery_link(self, attempt: WebhookAttempt) -> SafeString | str:
        return link(attempt.delivery)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "delivery__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookAttempt]:
        return super().get_queryset(request).defer("request_body", "response_body")
