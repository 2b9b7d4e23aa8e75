"""POST, GET, PATCH, DELETE /webhook; the list of events; the public keys of our signatures."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Body, Text, Text255
from payments.api.pages import Page, paginate
from payments.models import WebhookEndpoint
from payments.services import webhooks
from payments.services.webhooks import signing

router = Router(tags=["webhook"])
Json = dict[str, Any]
WebhookId = PathEx[str, P(description="The webhook's id.")]


class Endpoint(Body):
    """A webhook to register."""

    name: Text255
    url: Text
    event: Text255 | None = None
    authorization: Text | None = None
    isActive: bool | None = None


class WebhookBody(Body):
    """The body that registers a webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "webhook": {
                    "name": "Loja",
                    "event": "OPENPIX:CHARGE_COMPLETED",
                    "url": "https://loja.example/webhook",
                    "authorization": "a secret of yours",
                    "isActive": True,
                }
            }
        }
    )

    webhook: Endpoint


class Change(Body):
    """The fields of a webhook that may be changed."""

    name: Text255 | None = None
    url: Text | None = None
    event: Text255 | None = None
    authorization: Text | None = None
    isActive: bool | None = None


class ChangeBody(Body):
    """The body that changes a webhook."""

    model_config = ConfigDict(json_schema_extra={"example": {"webhook": {"isActive": False}}})

    webhook: Change


class WebhookFilter(Page):
    """The query of the list of webhooks."""

    url: Text = ""


@router.post(
    "/webhook",
    **needs("WEBHOOK_POST"),
    summary="Register a webhook",
    response=answers.of(answers.WebhookCreated, answers.WITH_BODY),
)
def create(request: HttpRequest, body: WebhookBody) -> Json:
    """Register an endpoint. A test request is sent to it first, and it must answer 200.

    `hmacSecretKey`, by which `X-OpenPix-Signature` is verified, is in this answer and never again.
    """
    wanted = body.webhook
    made = webhooks.create(
        company(request),
        name=wanted.name,
        url=wanted.url,
        event=wanted.event or webhooks.DEFAULT_EVENT,
        authorization=wanted.authorization or "",
        is_active=wanted.isActive is not False,
    )
    return {"webhook": {**_as_json(made), "hmacSecretKey": made.secret}}


@router.get("/webhook", **needs("WEBHOOK_GET_LIST"), summary="List webhooks", response=answers.of(answers.Webhooks))
def listing(request: HttpRequest, filters: Query[WebhookFilter]) -> Json:
    """The company's endpoints, active or not, newest first."""
    rows, info = paginate(request, webhooks.listing(company(request), filters.url or None), filters)
    return {"webhooks": [_as_json(row) for row in rows], "pageInfo": info}


@router.get(
    "/webhook/events",
    **needs("WEBHOOK_EVENTS_GET_LIST"),
    summary="List the events there are",
    response=answers.of(answers.WebhookEvents),
)
def events(request: HttpRequest) -> Json:
    """The events that an endpoint may ask for: those that happen here."""
    return {"events": [{"name": name} for name in webhooks.EVENTS]}


@router.get(
    "/webhook/ips",
    **needs("WEBHOOK_IPS_GET"),
    summary="List where webhooks come from",
    response=answers.of(answers.WebhookIps),
)
def ips(request: HttpRequest) -> Json:
    """The addresses that a receiver may let through. Empty where the platform's operator has not said."""
    return {"ips": settings.WEBHOOK_IPS}


@router.get(
    "/webhook/public-keys",
    auth=None,
    summary="Get the keys that verify webhooks",
    response=answers.of(answers.PublicKeys, answers.OPEN),
)
def public_keys(request: HttpRequest, response: HttpResponse) -> Json:
    """Keys of `x-webhook-signature`: RSA-SHA256 over the raw body. A receiver accepts any of them."""
    response["Cache-Control"] = "public, max-age=3600"
    return {"public_keys": signing.public_keys()}


@router.patch(
    "/webhook/{webhook_id}",
    **needs("WEBHOOK_PATCH"),
    summary="Change a webhook",
    response=answers.of(answers.OneWebhook, answers.WITH_BODY),
)
def change(request: HttpRequest, webhook_id: WebhookId, body: ChangeBody) -> Json:
    """Change an endpoint: what is absent stays. Where it is active and leads elsewhere, it is tested first."""
    fields = body.webhook.given()
    if "isActive" in fields:
        fields["is_active"] = fields.pop("isActive")
    return {"webhook": _as_json(webhooks.change(company(request), webhook_id, fields))}


@router.delete(
    "/webhook/{webhook_id}", **needs("WEBHOOK_DELETE"), summary="Delete a webhook", response=answers.of(answers.Deleted)
)
def delete(request: HttpRequest, webhook_id: WebhookId) -> Json:
    """Delete an endpoint. What is due for it is given up."""
    webhooks.delete(company(request), webhook_id)
    return {"status": "OK"}


def _as_json(endpoint: WebhookEndpoint) -> Json:
    paused = {"pausedUntil": contract.time(endpoint.paused_until)} if endpoint.paused_until else {}
    return {
        "id": endpoint.public_id,
        "name": endpoint.name,
        "event": endpoint.event,
        "url": endpoint.url,
        "authorization": endpoint.authorization,
        "isActive": endpoint.is_active,
        "createdAt": contract.time(endpoint.created_at),
        "updatedAt": contract.time(endpoint.updated_at),
        **paused,
    }
