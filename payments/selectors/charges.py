"""Charges as their company sees them. One that the bank has not registered is seen by nobody."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from payments.models import Charge, Company, ReceivedPix, Refund

# One moment of a charge's life: when, what (a word for pages to translate), detail.
Moment = tuple[datetime, str, str]


def _visible(company: Company) -> QuerySet[Charge]:
    settled = ReceivedPix.objects.filter(outcome=ReceivedPix.Outcome.SETTLED)
    return Charge.objects.filter(company=company, registered_at__isnull=False).prefetch_related(
        Prefetch("received", settled, to_attr="settled_by")
    )


def settled_by(charge: Charge) -> ReceivedPix | None:
    """The Pix that paid the charge."""
    found: list[ReceivedPix] | None = getattr(charge, "settled_by", None)
    if found is None:
        found = list(charge.received.filter(outcome=ReceivedPix.Outcome.SETTLED))
    return found[0] if found else None


def find(company: Company, identifier: str) -> Charge | None:
    """The company's charge by correlationID, charge id (plain or global) or txid. The correlationID wins."""
    if "\0" in identifier:
        return None
    charges = _visible(company)
    return (
        charges.filter(correlation_id=identifier).first()
        or charges.filter(public_id=_public_id(identifier)).first()
        or charges.filter(txid=identifier).first()
    )


def _public_id(identifier: str) -> str:
    """The 24 hex of a global id (base64 of `Charge:<24 hex>`), or what was given."""
    try:
        kind, _, public_id = base64.b64decode(identifier, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return identifier
    return public_id if kind == "Charge" and public_id and "\0" not in public_id else identifier


def by_payment_link(payment_link_id: UUID) -> Charge | None:
    """The charge of a payment link, and its company: for whoever was given the link."""
    charges = Charge.objects.filter(payment_link_id=payment_link_id, registered_at__isnull=False)
    return charges.select_related("company").first()


def listing(
    company: Company, *, status: str | None = None, start: datetime | None = None, end: datetime | None = None
) -> QuerySet[Charge]:
    """The company's charges, newest first, created from `start` to `end` (both included)."""
    charges = _visible(company).order_by("-created_at", "-id")
    if status:
        charges = charges.filter(status=status)
    if start:
        charges = charges.filter(created_at__gte=start)
    if end:
        charges = charges.filter(created_at__lte=end)
    return charges


def timeline(charge: Charge) -> list[Moment]:
    """What happened to the charge, oldest first: it, every Pix that named it, every refund."""
    moments: list[Moment] = [(charge.created_at, "created", "")]
    if charge.status == Charge.Status.EXPIRED:
        moments.append((charge.expires_at, "expired", ""))
    for received in charge.received.all():
        moments.append((received.paid_at, f"received:{received.outcome}", received.end_to_end_id))
    for refund in Refund.objects.filter(received__charge=charge):  # the automatic ones too
        kind, name = ("bank_return", refund.comment) if refund.by_bank else ("refund", refund.correlation_id)
        moments.append((refund.created_at, f"{kind}:IN_PROCESSING", name))
        if refund.resolved_at:
            moments.append((refund.resolved_at, f"{kind}:{refund.status}", refund.reason or refund.end_to_end_id))
    return sorted(moments, key=lambda moment: moment[0])
