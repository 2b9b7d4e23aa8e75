"""A company's static QR codes. Deleted ones are not shown."""

from __future__ import annotations

from uuid import UUID

from django.db.models import BigIntegerField, Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from payments.models import Company, QrCode, ReceivedPix
from payments.selectors.ids import bare_id


def by_any_id(identifier: str, prefix: str = "") -> Q:
    """The codes with this correlationID, identifier or id (plain or global). `prefix` is the way from another model."""
    names = {"correlation_id": identifier, "identifier": identifier, "public_id": bare_id("PixQrCode", identifier)}
    found = Q()
    for name, value in names.items():
        found |= Q(**{prefix + name: value})
    return found


def listing(company: Company) -> QuerySet[QrCode]:
    """The company's codes, newest first."""
    return QrCode.objects.filter(company=company, deleted_at=None).order_by("-created_at", "-id")


def find(company: Company, identifier: str) -> QrCode | None:
    """The company's code by correlationID, identifier or id."""
    if "\0" in identifier:
        return None
    return listing(company).filter(by_any_id(identifier)).first()


def is_deleted(company: Company, identifier: str) -> bool:
    """Whether `identifier`, as of `find`, is of a code that the company has deleted."""
    if "\0" in identifier:
        return False
    gone = QrCode.objects.filter(company=company, deleted_at__isnull=False)
    return gone.filter(by_any_id(identifier)).exists()


def by_payment_link(payment_link_id: UUID) -> QrCode | None:
    """The code of a payment link, with its company. Whoever has the link may see it."""
    return QrCode.objects.filter(payment_link_id=payment_link_id, deleted_at=None).select_related("company").first()


def with_received(codes: QuerySet[QrCode]) -> QuerySet[QrCode]:
    """The codes, each annotated with `times` and `total`: how many Pix it received, and their centavos."""
    paid = ReceivedPix.objects.filter(qr_code=OuterRef("pk")).order_by().values("qr_code")
    times, total = paid.annotate(found=Count("pk")).values("found"), paid.annotate(found=Sum("value")).values("found")
    number = BigIntegerField()
    return codes.annotate(
        times=Coalesce(Subquery(times), 0, output_field=number), total=Coalesce(Subquery(total), 0, output_field=number)
    )


def received_by(code: QrCode) -> QuerySet[ReceivedPix]:
    """What was paid by the code, newest first."""
    return ReceivedPix.objects.filter(qr_code=code).order_by("-paid_at", "-id")
