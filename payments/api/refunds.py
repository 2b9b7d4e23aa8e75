"""POST, GET /refund; GET /refund/{id}: refunds found by the Pix that they return."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict, Field

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import DIGITS, Body, Id, Text140, decoded
from payments.api.pages import Page, paginate
from payments.models import ReceivedPix
from payments.selectors import refunds as selectors
from payments.services.charges import MAX_VALUE, refunds
from payments.services.errors import Invalid, NotFound

router = Router(tags=["refund"])
Json = dict[str, Any]


class PixRefundBody(Body):
    """The refund of a Pix."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "transactionEndToEndId": "E60701190202603021728a1B2c3D4e5F",
                "correlationID": "devolucao-1",
                "value": 500,
                "comment": "Troca",
            }
        }
    )

    transactionEndToEndId: Annotated[Id, Field(description="The end-to-end id of a received Pix.")]
    correlationID: Annotated[Id, Field(description="Yours, unique for each refund: the same again is the same refund.")]
    value: Annotated[
        int | None, Field(gt=0, le=MAX_VALUE, description="Centavos; what is left, if absent."), DIGITS
    ] = None
    comment: Text140 | None = None


@router.post(
    "/refund",
    **needs("REFUND_POST"),
    summary="Refund a Pix",
    response=answers.of(answers.OnePixRefund, answers.WITH_BODY),
)
def create(request: HttpRequest, body: PixRefundBody) -> Json:
    """Give back all or part of a received Pix, whether it paid a charge or not. The same correlationID gives the first refund again."""
    owner = company(request)
    received = ReceivedPix.objects.filter(company=owner, end_to_end_id=body.transactionEndToEndId)
    paid = received.select_related("charge").first()
    if paid is None:
        raise NotFound("Transaction not found", "transactionEndToEndId")
    if paid.charge is not None and paid.outcome == ReceivedPix.Outcome.SETTLED:
        made = refunds.request(owner, paid.charge, body.correlationID, body.value, body.comment or "")
    elif paid.credited:
        made = refunds.request_loose(owner, paid, body.correlationID, body.value, body.comment or "")
    else:
        raise Invalid("transactionEndToEndId: this Pix went back to its payer by itself", "transactionEndToEndId")
    return {"refund": contract.pix_refund(made)}


@router.get("/refund", **needs("REFUND_GET_LIST"), summary="List refunds", response=answers.of(answers.PixRefunds))
def listing(request: HttpRequest, page: Query[Page]) -> Json:
    """The company's refunds, newest first."""
    rows, info = paginate(request, selectors.listing(company(request)), page)
    return {"refunds": [contract.pix_refund(row) for row in rows], "pageInfo": info}


@router.get(
    "/refund/{identifier}", **needs("REFUND_GET"), summary="Get a refund", response=answers.of(answers.FoundPixRefund)
)
def read(
    request: HttpRequest, identifier: PathEx[str, P(description="The refund's id, correlationID or end-to-end id.")]
) -> Json:
    """One refund."""
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        found = selectors.find(owner, decoded(identifier))
        if found is None:
            raise NotFound("Refund not found")
        looked_up.settle(1)
    return {"pixTransactionRefund": contract.pix_refund(found)}
