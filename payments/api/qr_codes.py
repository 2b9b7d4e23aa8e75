"""POST, GET /qrcode-static; GET, DELETE /qrcode-static/{id}."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict, Field, StringConstraints

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import DIGITS, Body, Id, Text, Text140, Text255, decoded
from payments.api.pages import Page, paginate
from payments.models import QrCode
from payments.selectors import qr_codes as selectors
from payments.services import qr_codes
from payments.services.charges import MAX_VALUE
from payments.services.errors import NotFound

router = Router(tags=["qrcode-static"])
Json = dict[str, Any]
Identifier = PathEx[str, P(description="The code's correlationID (URI-encoded), identifier or id.")]


class QrCodeBody(Body):
    """A static QR code to create."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "Balcão", "correlationID": "balcao", "value": 500}}
    )

    name: Annotated[Text, StringConstraints(min_length=1, max_length=140)]
    correlationID: Id | None = None
    value: Annotated[
        int | None, Field(gt=0, le=MAX_VALUE, description="Centavos; if absent, the payer chooses."), DIGITS
    ] = None
    comment: Annotated[Text140 | None, Field(description="Shown to the payer.")] = None
    pixKey: Annotated[Text255 | None, Field(description="A key of yours.")] = None
    identifier: Annotated[
        Text | None,
        Field(
            max_length=25, pattern="^[a-zA-Z0-9]+$", description="In the code, and the transactionID of its payments."
        ),
    ] = None


@router.post(
    "/qrcode-static",
    **needs("PIX_QRCODE_POST"),
    summary="Create a static QR code",
    response=answers.of(answers.QrCodeCreated, answers.WITH_BODY),
)
def create(request: HttpRequest, body: QrCodeBody) -> Json:
    """Create a code that may be paid any number of times. The same body again gives the first code."""
    made = qr_codes.create(
        company(request),
        qr_codes.QrCodeRequest(
            name=body.name,
            correlation_id=body.correlationID or "",
            value=body.value,
            comment=body.comment or "",
            pix_key=body.pixKey or "",
            identifier=body.identifier or "",
        ),
    )
    return {"pixQrCode": contract.qr_code(made), "correlationID": made.correlation_id, "brCode": made.br_code}


@router.get(
    "/qrcode-static",
    **needs("PIX_QRCODE_GET_LIST"),
    summary="List static QR codes",
    response=answers.of(answers.QrCodes),
)
def listing(request: HttpRequest, page: Query[Page]) -> Json:
    """The company's codes, newest first."""
    rows, info = paginate(request, selectors.listing(company(request)), page)
    return {"pixQrCodes": [contract.qr_code(row) for row in rows], "pageInfo": info}


@router.get(
    "/qrcode-static/{identifier}",
    **needs("PIX_QRCODE_GET"),
    summary="Get a static QR code",
    response=answers.of(answers.OneQrCode),
)
def read(request: HttpRequest, identifier: Identifier) -> Json:
    """A code by its correlationID (URI-encoded), identifier or id."""
    return {"pixQrCode": contract.qr_code(_find(request, identifier))}


@router.delete(
    "/qrcode-static/{identifier}",
    **needs("PIX_QRCODE_DELETE"),
    summary="Delete a static QR code",
    response=answers.of(answers.Removed),
)
def delete(request: HttpRequest, identifier: Identifier) -> Json:
    """Delete a code. A print of it can still be paid, and is credited."""
    wanted = decoded(identifier)
    if not selectors.is_deleted(company(request), wanted):
        qr_codes.delete(_find(request, identifier))
    return {"status": "OK", "id": wanted}


def _find(request: HttpRequest, identifier: str) -> QrCode:
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        found = selectors.find(owner, decoded(identifier))
        if found is None:
            raise NotFound("QR code not found")
        looked_up.settle(1)
    return found
