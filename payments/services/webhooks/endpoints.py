"""A company's webhook endpoints: register, list, change, delete."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import Company, WebhookDelivery, WebhookEndpoint
from payments.services import switches
from payments.services.errors import Invalid, NotFound
from payments.services.webhooks.events import DEFAULT_EVENT, EVENTS, NEVER
from payments.services.webhooks.signing import headers
from woovi import database, trace
from woovi.http import outgoing

TEST_TIMEOUT = 10.0  # seconds: a person waits for the answer
MAX_ENDPOINTS = 100  # per company: each one multiplies the POSTs of an event


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
    """Register an endpoint. An active one must first answer a test POST with 2xx.

    Raises:
        Invalid: a field is wrong, the test failed, or the company has MAX_ENDPOINTS. It names the field.
        RuntimeError: called inside a transaction.
    """
    now = now or timezone.now()
    endpoint = WebhookEndpoint(
        company=company, name=name, event=_tidy("event", event), url=url.strip(), authorization=authorization,
        is_active=is_active, secret=secrets.token_urlsafe(32), created_at=now, updated_at=now,
    )  # fmt: skip
    _check_room(company)
    _check(endpoint)
    if is_active:
        _test(endpoint, now)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)  # one request at a time counts and saves
        _check_room(company)
        endpoint.save()
    return endpoint


def listing(company: Company, url: str | None = None) -> QuerySet[WebhookEndpoint]:
    """The company's endpoints, active or not, newest first."""
    endpoints = WebhookEndpoint.objects.filter(company=company, deleted_at=None).order_by("-created_at", "-id")
    return endpoints.filter(url=url) if url else endpoints


def change(company: Company, public_id: str, fields: dict[str, Any], now: datetime | None = None) -> WebhookEndpoint:
    """Change the endpoint's `fields` (columns). An active one is tested first if its URL is new or it was inactive.

    When it becomes inactive, its pending deliveries are marked FAILED. Must not be called inside a transaction.

    Raises:
        NotFound: the company has no such endpoint.
        Invalid: a field is wrong, or the test failed. It names the field.
    """
    now = now or timezone.now()
    endpoint = _find(company, public_id)
    tested_url = endpoint.url if endpoint.is_active else ""
    fields = {name: _tidy(name, value) for name, value in fields.items()} | {"updated_at": now}
    for name, value in fields.items():
        setattr(endpoint, name, value)
    _check(endpoint)
    if endpoint.is_active and endpoint.url != tested_url:
        _test(endpoint, now)
        fields |= {"failures": 0, "paused_until": None}
    if not _write(endpoint, **fields):
        raise NotFound("Webhook not found")  # deleted meanwhile
    return endpoint


def send_test(company: Company, public_id: str, now: datetime | None = None) -> None:
    """Send the endpoint another test POST. Must not be called inside a transaction.

    Raises:
        NotFound: the company has no such endpoint.
        Invalid: it did not answer with 2xx, or cannot be called.
    """
    endpoint = _find(company, public_id)
    _check(endpoint)
    _test(endpoint, now or timezone.now())


def delete(company: Company, public_id: str, now: datetime | None = None) -> None:
    """Delete an endpoint and mark its pending deliveries FAILED. Raises NotFound."""
    now = now or timezone.now()
    if not _write(_find(company, public_id), is_active=False, updated_at=now, deleted_at=now):
        raise NotFound("Webhook not found")


def _tidy(name: str, value: Any) -> Any:
    """Names of events and addresses without blanks around; events in capitals, as they all are."""
    value = value.strip() if name in {"event", "url"} else value
    return value.upper() if name == "event" else value


def _find(company: Company, public_id: str) -> WebhookEndpoint:
    endpoint = listing(company).filter(public_id=public_id).first()
    if endpoint is None:
        raise NotFound("Webhook not found")
    return endpoint


def _write(endpoint: WebhookEndpoint, **fields: Any) -> bool:
    """Write the fields, unless the endpoint is deleted. An inactive one's pending deliveries are marked FAILED."""
    with transaction.atomic():
        written = WebhookEndpoint.objects.filter(pk=endpoint.pk, deleted_at=None).update(**fields)
        if fields.get("is_active") is False:
            due = endpoint.deliveries.filter(status=WebhookDelivery.Status.PENDING)
            due.update(status=WebhookDelivery.Status.FAILED)
    return bool(written)


def _check(endpoint: WebhookEndpoint) -> None:
    """Raise Invalid, naming the field, where a field of the endpoint is wrong."""
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
    database.let_go()  # name servers, and the merchant's server in a test, may be slow
    try:
        outgoing.check_url(endpoint.url)
    except outgoing.Refused as refusal:
        raise Invalid(f"url cannot be called: {refusal}", "url") from refusal


def _check_room(company: Company) -> None:
    if listing(company).count() >= MAX_ENDPOINTS:
        raise Invalid(f"webhook: a company may have at most {MAX_ENDPOINTS}; delete one first", "webhook")


def _test(endpoint: WebhookEndpoint, now: datetime) -> None:
    if switches.is_off(switches.Name.WEBHOOKS):
        raise Invalid("Webhooks are switched off for now")
    body = json.dumps(
        {"data_criacao": now.astimezone(UTC).isoformat(), "evento": "teste_webhook", "event": endpoint.event}
    ).encode()
    # The id of the request that asked for the test: whoever calls and whoever receives can join their logs.
    sent = headers(endpoint, body) | {trace.REQUEST_ID: trace.request_id()}
    answer = outgoing.post(endpoint.url, body, sent, TEST_TIMEOUT)
    if not answer.accepted:
        raise Invalid(f"url did not accept the test request: {answer.error or f'HTTP {answer.status_code}'}", "url")
