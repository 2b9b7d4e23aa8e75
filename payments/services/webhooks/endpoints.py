"""The endpoints where a company wants to be told of events."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services.errors import Invalid, NotFound
from payments.services.webhooks.signing import hmac_signature, rsa_signature
from woovi import database
from woovi.http import outgoing

DEFAULT_EVENT = "OPENPIX:TRANSACTION_RECEIVED"
TEST_TIMEOUT = 10.0  # seconds: somebody waits for the answer
MAX_ENDPOINTS = 100  # of a company: each multiplies every event

# What happens here, by the name that a merchant registers. The list that is offered has no others.
EVENTS = (
    "OPENPIX:CHARGE_CREATED",
    "OPENPIX:CHARGE_COMPLETED",
    "OPENPIX:CHARGE_EXPIRED",
    "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER",
    "OPENPIX:TRANSACTION_RECEIVED",
    "OPENPIX:TRANSACTION_REFUND_RECEIVED",
    "PIX_TRANSACTION_REFUND_SENT_CONFIRMED",
    "PIX_TRANSACTION_REFUND_SENT_REJECTED",
)
# Woovi's that nothing here brings about: no Pix goes out but refunds, and there are no disputes, registers, recurrences.
NEVER = (
    "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED",
    "PIX_TRANSACTION_REFUND_RECEIVED_REJECTED",
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
# A refund's older name is deprecated and still in use: who registered it is told the same event under it.
REFUND, OLDER_REFUND = "PIX_TRANSACTION_REFUND_SENT_CONFIRMED", "OPENPIX:TRANSACTION_REFUND_RECEIVED"


def event_names(topic: str) -> tuple[str, ...]:
    """The contract's names of a public event's topic. Topics all begin with `OPENPIX:`, some names do not."""
    bare = topic.removeprefix("OPENPIX:")
    name = bare if bare in EVENTS else topic
    return (name, OLDER_REFUND) if name == REFUND else (name,)


def payload(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """An event's body as the endpoints of `name` are told it. Under its older name a refund has `pix` and `charge`."""
    if name != OLDER_REFUND or told.get("event") == name:
        return told
    pix = told.get("originalTransaction", {})
    return {**told, "event": name, "pix": pix, "charge": pix.get("charge")}


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
    endpoint = WebhookEndpoint(
        company=company, name=name, event=event.strip(), url=url.strip(), authorization=authorization,
        is_active=is_active, secret=secrets.token_urlsafe(32), created_at=now, updated_at=now,
    )  # fmt: skip
    _check_room(company)
    _check(endpoint)
    if is_active:
        _test(endpoint, now)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)  # one at a time counts and saves
        _check_room(company)
        endpoint.save()
    return endpoint


def listing(company: Company, url: str | None = None) -> QuerySet[WebhookEndpoint]:
    """The company's endpoints, active or not, newest first."""
    endpoints = WebhookEndpoint.objects.filter(company=company, deleted_at=None).order_by("-created_at", "-id")
    return endpoints.filter(url=url) if url else endpoints


def change(company: Company, public_id: str, fields: dict[str, Any], now: datetime | None = None) -> WebhookEndpoint:
    """Change the endpoint's `fields` (columns). An active one that leads elsewhere, or was inactive, is tested first.

    What was due when it becomes inactive is given up. Must not be called inside a transaction. Raises NotFound, and
    Invalid naming the field.
    """
    now = now or timezone.now()
    endpoint = _find(company, public_id)
    tested = endpoint.url if endpoint.is_active else ""
    fields = {name: value.strip() if name in {"event", "url"} else value for name, value in fields.items()}
    fields["updated_at"] = now
    for name, value in fields.items():
        setattr(endpoint, name, value)
    _check(endpoint)
    if endpoint.is_active and endpoint.url != tested:
        _test(endpoint, now)
    if not _write(endpoint, **fields):
        raise NotFound("Webhook not found")  # deleted meanwhile
    return endpoint


def delete(company: Company, public_id: str, now: datetime | None = None) -> None:
    """Delete an endpoint and give up what is due for it. Raises NotFound."""
    now = now or timezone.now()
    if not _write(_find(company, public_id), is_active=False, updated_at=now, deleted_at=now):
        raise NotFound("Webhook not found")


def _find(company: Company, public_id: str) -> WebhookEndpoint:
    endpoint = listing(company).filter(public_id=public_id).first()
    if endpoint is None:
        raise NotFound("Webhook not found")
    return endpoint


def _write(endpoint: WebhookEndpoint, **fields: Any) -> bool:
    """Write the endpoint's fields, unless it is deleted. An inactive one has nothing due."""
    with transaction.atomic():
        written = WebhookEndpoint.objects.filter(pk=endpoint.pk, deleted_at=None).update(**fields)
        if fields.get("is_active") is False:
            due = endpoint.deliveries.filter(status=WebhookDelivery.Status.PENDING)
            due.update(status=WebhookDelivery.Status.FAILED)
    return bool(written)


def _check(endpoint: WebhookEndpoint) -> None:
    """Raises Invalid, naming the field, where the endpoint cannot be."""
    if not 1 <= len(endpoint.name) <= 100 or not endpoint.name.isprintable():
        raise Invalid("name must have 1 to 100 printable characters", "name")
    if endpoint.event in NEVER:
        raise Invalid(f"event {endpoint.event} never happens here; there are {', '.join(EVENTS)}", "event")
    if endpoint.event not in EVENTS:
        raise Invalid(f"event must be one of {', '.join(EVENTS)}", "event")
    text = endpoint.authorization
    if len(text) > 500 or not (text.isascii() and text.isprintable()):
        raise Invalid("authorization must have at most 500 printable ASCII characters", "authorization")
    if len(endpoint.url) > 2000:
        raise Invalid("url must have at most 2000 characters", "url")
    database.let_go()  # name servers, and the merchant's own in a test, may take their time
    try:
        outgoing.check_url(endpoint.url)
    except outgoing.Refused as refusal:
        raise Invalid(f"url cannot be called: {refusal}", "url") from refusal


def headers(endpoint: WebhookEndpoint, body: bytes) -> dict[str, str]:
    """What every POST to the endpoint carries beside `body`."""
    signed = {
        "x-webhook-signature": rsa_signature(body),
        "X-OpenPix-Signature": hmac_signature(endpoint.secret, body),
    }
    # Woovi's receivers read it under either name.
    told = {"Authorization": endpoint.authorization, "x-openpix-authorization": endpoint.authorization}
    return signed | (told if endpoint.authorization else {})


def _check_room(company: Company) -> None:
    if listing(company).count() >= MAX_ENDPOINTS:
        raise Invalid(f"webhook: a company may have at most {MAX_ENDPOINTS}; delete one first", "webhook")


def _test(endpoint: WebhookEndpoint, now: datetime) -> None:
    body = json.dumps(
        {"data_criacao": now.astimezone(UTC).isoformat(), "evento": "teste_webhook", "event": endpoint.event}
    ).encode()
    answer = outgoing.post(endpoint.url, body, headers(endpoint, body), TEST_TIMEOUT)
    if not answer.accepted:
        raise Invalid(f"url did not accept the test request: {answer.error or f'HTTP {answer.status_code}'}", "url")
