"""Charges as their company sees them. One that the bank has not registered, or that was deleted, is not shown."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import BigIntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from payments.models import Charge, Company, ReceivedPix, Refund, User
from payments.selectors.ids import bare_id
from payments.selectors.periods import between
from woovi import statements

# The states that pages show. In the API a charge stays COMPLETED when it is refunded.
STATES = ("ACTIVE", "COMPLETED", "PARTLY_REFUNDED", "REFUNDED", "EXPIRED")


class TimelineEntry(NamedTuple):
    """One event in the life of a charge. `what` is a word for pages to translate, `value` is in centavos."""

    at: datetime
    what: str
    value: int | None = None
    reason: str = ""
    reference: str = ""
    by: User | None = None  # who asked for it; somebody without a company is an operator


def _visible(company: Company) -> QuerySet[Charge]:
    settled = ReceivedPix.objects.filter(outcome=ReceivedPix.Outcome.SETTLED)
    return Charge.objects.filter(company=company, registered_at__isnull=False, deleted_at=None).prefetch_related(
        Prefetch("received", settled, to_attr="settled_by")
    )


def settled_by(charge: Charge) -> ReceivedPix | None:
    """The Pix that paid the charge, or None."""
    if charge.status != Charge.Status.COMPLETED:  # which it becomes with its Pix, in one statement
        return None
    found: list[ReceivedPix] | None = getattr(charge, "settled_by", None)
    if found is None:
        found = list(charge.received.filter(outcome=ReceivedPix.Outcome.SETTLED))
    return found[0] if found else None


# One statement for each name that a charge goes by. Programs ask for a charge again and again until it is paid.
_FIND = [
    f"""
SELECT {statements.columns(Charge, "charge")} FROM payments_charge charge
WHERE charge.company_id = $1 AND charge.{name} = $2 AND charge.registered_at IS NOT NULL AND charge.deleted_at IS NULL
"""  # noqa: S608 (names of our own)
    for name in ("correlation_id", "public_id", "txid")
]


def find(company: Company, identifier: str) -> Charge | None:
    """The company's charge by correlationID, charge id (plain or global) or txid. The correlationID wins."""
    if "\0" in identifier:
        return None
    for sql, name in zip(_FIND, (identifier, bare_id("Charge", identifier), identifier), strict=True):
        for (charge,) in statements.rows((Charge,), sql, company.pk, name):
            charge.company = company
            return charge  # type: ignore[no-any-return]
    return None


def is_deleted(company: Company, identifier: str) -> bool:
    """Whether `identifier`, as of `find`, is of a charge that the company has deleted."""
    if "\0" in identifier:
        return False
    by_any = Q(correlation_id=identifier) | Q(public_id=bare_id("Charge", identifier)) | Q(txid=identifier)
    return Charge.objects.filter(by_any, company=company, deleted_at__isnull=False).exists()


def by_payment_link(payment_link_id: UUID) -> Charge | None:
    """The charge of a payment link, with its company, or None. Whoever has the link may see it."""
    charges = Charge.objects.filter(payment_link_id=payment_link_id, registered_at__isnull=False)
    return with_returned(charges).select_related("company").first()


def listing(
    company: Company, *, status: str | None = None, start: datetime | None = None, end: datetime | None = None
) -> QuerySet[Charge]:
    """The company's charges, newest first, created from `start` to `end` (both included)."""
    charges = _visible(company).filter(between("created_at", start, end)).order_by("-created_at", "-id")
    return charges.filter(status=status) if status else charges


def with_returned(charges: QuerySet[Charge]) -> QuerySet[Charge]:
    """The charges, each annotated with `returned`: centavos of its confirmed refunds."""
    confirmed = Refund.objects.filter(charge=OuterRef("pk"), status=Refund.Status.CONFIRMED).order_by()
    total = confirmed.values("charge").annotate(total=Sum("value")).values("total")
    return charges.annotate(returned=Coalesce(Subquery(total), 0, output_field=BigIntegerField()))


def returned(charge: Charge) -> int:
    """Centavos of the charge's confirmed refunds, without those under way."""
    found: int | None = getattr(charge, "returned", None)
    if found is None:
        confirmed = Refund.objects.filter(charge=charge, status=Refund.Status.CONFIRMED)
        found = confirmed.aggregate(total=Sum("value"))["total"] or 0
    return found


def state(charge: Charge) -> str:
    """The state that pages show: REFUNDED or PARTLY_REFUNDED where money went back, else the status."""
    back = returned(charge) if charge.refunded else 0
    if not back:
        return charge.status
    return "REFUNDED" if back >= charge.worth() else "PARTLY_REFUNDED"


def timeline(charge: Charge) -> list[TimelineEntry]:
    """The history of the charge, oldest first: its creation and expiry, every Pix with its txid, every refund."""
    moments = [TimelineEntry(charge.created_at, "created")]
    if charge.status == Charge.Status.EXPIRED:
        moments.append(TimelineEntry(charge.expires_at, "expired"))
    for pix in charge.received.all():
        moments.append(TimelineEntry(pix.paid_at, f"received:{pix.outcome}", pix.value, reference=pix.end_to_end_id))
    for refund in Refund.objects.filter(received__charge=charge).select_related("maker"):  # the automatic ones too
        kind = "bank_return" if refund.by_bank else "refund"
        # An automatic refund's comment only repeats, in English, what the entry of its Pix says.
        why = "" if refund.automatic else refund.comment
        moments.append(TimelineEntry(refund.created_at, f"{kind}:IN_PROCESSING", refund.value, why, by=refund.maker))
        if refund.resolved_at:
            end = refund.resolved_at, f"{kind}:{refund.status}", refund.value, refund.reason, refund.end_to_end_id
            moments.append(TimelineEntry(*end))
    return sorted(moments, key=lambda moment: moment.at)
