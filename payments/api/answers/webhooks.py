"""Webhooks, their events and keys."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import PageInfo, Time


class Webhook(TypedDict):
    """A URL that wants one kind of event."""

    id: Annotated[str, Field(examples=["603e749a425602bbbf4e7bed"])]
    name: Annotated[str, Field(examples=["Loja"])]
    event: Annotated[str, Field(examples=["OPENPIX:CHARGE_COMPLETED"])]
    url: Annotated[str, Field(examples=["https://loja.example/webhook"])]
    authorization: str
    isActive: bool
    createdAt: Time
    updatedAt: Time
    pausedUntil: NotRequired[Annotated[Time, Field(description="Deliveries failed: the next one is tried then.")]]


class NewWebhook(Webhook):
    hmacSecretKey: Annotated[str, Field(description="Key of `X-OpenPix-Signature`. Told in this answer alone.")]


class WebhookCreated(TypedDict):
    webhook: NewWebhook


class OneWebhook(TypedDict):
    webhook: Webhook


class Webhooks(TypedDict):
    webhooks: list[Webhook]
    pageInfo: PageInfo


class WebhookEvent(TypedDict):
    name: Annotated[str, Field(examples=["OPENPIX:CHARGE_COMPLETED"])]


class WebhookEvents(TypedDict):
    events: list[WebhookEvent]


class WebhookIps(TypedDict):
    ips: Annotated[list[str], Field(examples=[["203.0.113.7"]])]


class PublicKey(TypedDict):
    key_identifier: Annotated[str, Field(description="SHA-256 of the key's DER, in hex.")]
    key: Annotated[str, Field(description="PEM.")]
    is_current: bool


class PublicKeys(TypedDict):
    public_keys: list[PublicKey]


class Deleted(TypedDict):
    status: Literal["OK"]
