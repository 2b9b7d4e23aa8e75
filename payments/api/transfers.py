"""POST /transfer: money for another account of the platform."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from pydantic import ConfigDict

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Body, Cents, Once, Text255
from payments.services import transfers

router = Router(tags=["account"])
Json = dict[str, Any]


class AccountTransferBody(Body):
    """A transfer to another account of the platform."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "value": 100,
                "fromPixKey": "loja@exemplo.com",
                "toPixKey": "parceiro@exemplo.com",
                "correlationID": "repasse-1",
            }
        }
    )

    value: Cents
    fromPixKey: Text255
    toPixKey: Text255
    correlationID: Once = None


@router.post(
    "/transfer",
    **needs("TRANSFER_POST"),
    summary="Move money to another account",
    response=answers.of(answers.Transferred, answers.WITH_BODY),
)
def create(request: HttpRequest, body: AccountTransferBody) -> Json:
    """Move money to the account that has the Pix key. No bank is asked. The same correlationID and body have no further effect."""
    made = transfers.transfer(company(request), body.fromPixKey, body.toPixKey, body.value, body.correlationID or "")
    shown = {"value": body.value, "time": contract.time(made.created_at), "correlationID": made.correlation_id}
    return {"transaction": shown}
