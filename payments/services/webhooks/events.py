"""The contract's names of events, and an event's body under each of its names. Source: Woovi's list of webhook events."""

from __future__ import annotations

from typing import Any

DEFAULT_EVENT = "OPENPIX:TRANSACTION_RECEIVED"

# The events that this platform sends, by the name that a merchant registers.
EVENTS = (
    "OPENPIX:CHARGE_CREATED",
    "OPENPIX:CHARGE_COMPLETED",
    "OPENPIX:CHARGE_EXPIRED",
    "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER",
    "OPENPIX:TRANSACTION_RECEIVED",
    "OPENPIX:TRANSACTION_REFUND_RECEIVED",
    "PIX_TRANSACTION_REFUND_SENT_CONFIRMED",
    "PIX_TRANSACTION_REFUND_SENT_REJECTED",
    "OPENPIX:MOVEMENT_CONFIRMED",
    "OPENPIX:MOVEMENT_FAILED",
    "OPENPIX:MOVEMENT_REMOVED",
)
# Woovi's events that never happen here: no payment is sent back, and there are no disputes, registrations or recurring Pix.
NEVER = (
    "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED",
    "PIX_TRANSACTION_REFUND_RECEIVED_REJECTED",
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
# The same event under its deprecated name, which older integrations still register.
REFUND, OLDER_REFUND = "PIX_TRANSACTION_REFUND_SENT_CONFIRMED", "OPENPIX:TRANSACTION_REFUND_RECEIVED"


def event_names(topic: str) -> tuple[str, ...]:
    """The names under which a topic of the outbox is sent. Every topic begins with `OPENPIX:`, some names do not."""
    bare = topic.removeprefix("OPENPIX:")
    name = bare if bare in EVENTS else topic
    return (name, OLDER_REFUND) if name == REFUND else (name,)


def payload(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """An event's body for endpoints registered under `name`. The older refund event also has `pix` and `charge`."""
    if name != OLDER_REFUND or body.get("event") == name:
        return body
    pix = body.get("originalTransaction", {})
    return {**body, "event": name, "pix": pix, "charge": pix.get("charge")}
