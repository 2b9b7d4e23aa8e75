"""The endpoints where a company wants to be told of events."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import webhook_http
from payments.services.errors import Invalid, NotFound
from payments.services.webhook_signing import hmac_signature, rsa_signature
from woovi import database

DEFAULT_EVENT = "OPENPIX:TRANSACTION_RECEIVED"
TEST_TIMEOUT = 10.0  # seconds: somebody waits for the answer
MAX_ENDPOINTS = 100  # active ones of a company: each multiplies every event

EVENTS = (
    "OPENPIX:CHARGE_CREATED",
    "OPENPIX:CHARGE_COMPLETED",
    "OPENPIX:CHARGE_EXPIRED",
    "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER",
    "OPENPIX:TRANSACTION_RECEIVED",
    "OPENPIX:TRANSACTION_REFUND_RECEIVED",
    "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED",
    "PIX_TRANSACTION_REFUND_SENT_CONFIRMED",
    "PIX_TRANSACTION_REFUND_RECEIVED_REJECTED",
    "PIX_TRANSACTION_REFUND_SENT_REJECTED",
    "OPENPIX:MOVEMENT_CONFIRMED",
    "OPENPIX:MOVEMENT_FAILED",
    "OPENPIX:MOVEMENT_REMOVED",
    "OPENPIX:DISPUTE_CREATED",
    "OPENPIX:DISPUTE_ACCEPTED",
    "OPENPIX:DISPUTE_REJECTED",
    "OPENPIX:DISPUTE_CANCELED",
    "ACCOUNT_REGISTER_APPROVED",
    "ACCOUNT_REGISTER_REJECTED",
    "ACCOUNT_REGISTER_PENDING",
    "PIX_AUTOMATIC_APPROVED",
    "PIX_AUTOMATIC_REJECTED",
    "PIX_AUTOMATIC_COBR_CREATED",
    "PIX_AUTOMATIC_COBR_APPROVED",
    "PIX_AUTOMATIC_COBR_REJECTED",
    "PIX_AUTOMATIC_COBR_TRY_REJECTED",
    "PIX_AUTOMATIC_COBR_TRY_REQUESTED",
    "PIX_AUTOMATIC_COBR_COMPLETED",
)


def event_name(topic: str) -> str:
    """The contract's name of a public event's topic. Topics all begin with `OPENPIX:`, some names do not."""
    bare = topic.removeprefix("OPENPIX:")
    return bare if bare in EVENTS else topic


def create(
    company: Company,
    *,
    name: str,
    url: str,
    event: str = DEFAULT_EVENT,
    authorization: str = "",
    is_active: bool = True,
    now: datetime | None = None,
) -> WebhookEndpoint:
    """Register an endpoint, after a test POST to it that must be answered with 2xx (not where it starts inactive).

    Raises Invalid, naming the field; RuntimeError inside a transaction.
    """
    now = now or timezone.now()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("name must have 1 to 100 printable characters", "name")
    if event not in EVENTS:
        raise Invalid(f"event must be one of {', '.join(EVENTS)}", "event")
    if len(authorization) > 500 or not (authorization.isascii() and authorization.isprintable()):
        raise Invalid("authorization must have at most 500 printable ASCII characters", "authorization")
    if len(url) > 2000:
        raise Invalid("url must have at most 2000 characters", "url")
    _check_room(company)
    database.let_go()  # name servers and the merchant's own may take their time
    try:
        webhook_http.check_url(url)
    except webhook_http.Refused as refusal:
        raise Invalid(f"url cannot be called: {refusal}", "url") from refusal
    endpoint = WebhookEndpoint(
        company=company, name=name, event=event, url=url, authorization=authorization, is_active=is_active,
        secret=secrets.token_urlsafe(32), created_at=now, updated_at=now,
    )  # fmt: skip
    if is_active:
        _test(endpoint, now)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)  # one at a time counts and saves
        _check_room(company)
        endpoint.save()
    return endpoint


def listing(company: Company, url: str | None = None) -> QuerySet[WebhookEndpoint]:
    """The company's active endpoints, newest first. A deleted one stays only for its deliveries' log."""
    endpoints = WebhookEndpoint.objects.filter(company=company, is_active=True).order_by("-created_at", "-id")
    return endpoints.filter(url=url) if url else endpoints


def delete(company: Company, public_id: str, now: datetime | None = None) -> None:
    """Deactivate an endpoint and give up what is due for it. Raises NotFound."""
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.filter(company=company, public_id=public_id, is_active=True).first()
        if endpoint is None:
            raise NotFound("Webhook not found")
        endpoint.is_active, endpoint.updated_at = False, now or timezone.now()
        endpoint.save(update_fields=["is_active", "updated_at"])
        endpoint.deliveries.filter(status=WebhookDelivery.Status.PENDING).update(status=WebhookDelivery.Status.FAILED)


def headers(endpoint: WebhookEndpoint, body: bytes) -> dict[str, str]:
    """What every POST to the endpoint carries beside `body`."""
    signed = {
        "x-webhook-signature": rsa_signature(body),
        "X-OpenPix-Signature": hmac_signature(endpoint.secret, body),
    }
    return signed | ({"Authorization": endpoint.authorization} if endpoint.authorization else {})


def _check_room(company: Company) -> None:
    if listing(company).count() >= MAX_ENDPOINTS:
        raise Invalid(f"webhook: a company may have at most {MAX_ENDPOINTS}; delete one first", "webhook")


def _test(endpoint: WebhookEndpoint, now: datetime) -> None:
    body = json.dumps(
        {"data_criacao": now.astimezone(UTC).isoformat(), "evento": "teste_webhook", "event": endpoint.event}
    ).encode()
    answer = webhook_http.post(endpoint.url, body, headers(endpoint, body), TEST_TIMEOUT)
    if not answer.accepted:
        raise Invalid(f"url did not accept the test request: {answer.error or f'HTTP {answer.status_code}'}", "url")
