"""Create and delete static QR codes. What is paid by them is booked by `charges.receiving`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.models import Company, QrCode
from payments.pix import brcode
from payments.selectors import qr_codes
from payments.services import companies, frozen
from payments.services.charges import MAX_VALUE, registering
from payments.services.errors import Duplicate, Invalid


@dataclass(frozen=True)
class QrCodeRequest:
    """A static QR code as the merchant asks for it. Empty texts are not sent; without `value` (centavos) the payer chooses."""

    name: str
    correlation_id: str = ""
    value: int | None = None
    comment: str = ""
    pix_key: str = ""
    identifier: str = ""  # at most 25 letters and digits


def create(company: Company, request: QrCodeRequest, now: datetime | None = None) -> QrCode:
    """Create a code. The same request again gives the first one, if it has a correlationID or an identifier.

    Raises:
        Invalid: a field is wrong, or the Pix key is not the company's.
        Duplicate: another code, perhaps a deleted one, has this correlationID or identifier.
    """
    if request.value is not None and not 0 < request.value <= MAX_VALUE:
        raise Invalid(f"value must be from 1 to {MAX_VALUE} centavos", "value")
    pix_key = companies.dict_key(request.pix_key)
    if pix_key and not companies.has_key(company, pix_key):
        raise Invalid("pixKey: this Pix key is not yours", "pixKey")
    wanted: dict[str, Any] = {
        "name": request.name,
        "value": request.value,
        "comment": request.comment,
        **({"pix_key": pix_key} if pix_key else {}),
        **({"correlation_id": request.correlation_id} if request.correlation_id else {}),
        **({"identifier": request.identifier} if request.identifier else {}),
    }
    if not (qr_codes.find(company, request.correlation_id) or qr_codes.find(company, request.identifier)):
        frozen.refuse(company, "charges")  # one that is there is answered
    fresh = {"identifier": uuid.uuid4().hex[:25], "pix_key": company.pix_key, **wanted}
    code = _br_code(company, fresh)
    now = now or timezone.now()
    try:
        with transaction.atomic():
            made = QrCode.objects.create(company=company, br_code=code, created_at=now, updated_at=now, **fresh)
    except IntegrityError:
        first = qr_codes.find(company, request.correlation_id) or qr_codes.find(company, request.identifier)
        if first and all(getattr(first, name) == value for name, value in wanted.items()):
            return first
        raise Duplicate(
            "There is already another code with this correlationID or identifier", "correlationID"
        ) from None
    registering.announce_callback(made.pix_key)
    return made


def delete(code: QrCode, now: datetime | None = None) -> None:
    """Delete a code: it is not shown any more. Its ids stay used, and what is still paid by its print is credited."""
    now = now or timezone.now()
    QrCode.objects.filter(pk=code.pk, deleted_at=None).update(deleted_at=now, updated_at=now)


def _br_code(company: Company, fields: dict[str, Any]) -> str:
    """The code itself. A comment that does not fit beside the Pix key is cut: EMV has 99 characters for both."""
    room = 99 - len(brcode.GUI) - len(fields["pix_key"]) - 12  # 12: the tags and lengths of three fields
    try:
        return brcode.encode(
            brcode.BrCode(
                name=brcode.fold(company.trade_name, brcode.MAX_NAME) or company.tax_id,
                city=brcode.fold(company.city, brcode.MAX_CITY) or "BRASIL",
                key=fields["pix_key"],
                value=fields["value"],
                txid=fields["identifier"],
                info=brcode.fold(fields["comment"], max(room, 0)),
            )
        )
    except brcode.InvalidBrCode as error:
        raise Invalid(f"identifier: {error}", "identifier") from error
