"""GET /transaction, /transaction/{id}, /statement."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import Field

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import CAPITALS, Text255, Timestamp, decoded
from payments.api.pages import OfAccount, Page, check_account, paginate
from payments.selectors import transactions as selectors
from payments.services.errors import NotFound

router = Router(tags=["transaction"])
Json = dict[str, Any]
Kind = Literal[
    "PAYMENT", "WITHDRAW", "REFUND", "FEE", "INTERNAL_TRANSFER", "BALANCE_BLOCK", "BALANCE_UNBLOCK", "REVERSAL"
]
KINDS = (*selectors.RECEIVED, selectors.WITHDRAW, selectors.TRANSFER)
BY_TYPE = (*KINDS, selectors.FEE, selectors.BLOCK, selectors.UNBLOCK)  # the further ones only where they are asked for


class Period(Page):
    """The query of a list by time of creation."""

    start: Annotated[Timestamp | None, Field(description="Created then or later (ISO 8601).")] = None
    end: Annotated[Timestamp | None, Field(description="Created then or before (ISO 8601).")] = None


class TransactionFilter(Period):
    """The query of the list of transactions."""

    charge: Annotated[Text255 | None, Field(description="The correlationID or txid of a charge.")] = None
    type: Annotated[
        Kind | None,
        CAPITALS,
        Field(
            description="PAYMENT, REFUND, WITHDRAW (a Pix sent) or INTERNAL_TRANSFER; or, only where it is asked for, FEE (what "
            "was kept of a Pix received), BALANCE_BLOCK (held for a Pix to be sent or returned) or BALANCE_UNBLOCK (free again). "
            "REVERSAL finds nothing."
        ),
    ] = None
    pixQrCode: Annotated[
        Text255 | None, Field(description="The correlationID, identifier or id of a static QR code.")
    ] = None
    withdrawal: Annotated[Text255 | None, Field(description="The correlationID or end-to-end id of a Pix sent.")] = None


@router.get(
    "/transaction",
    **needs("TRANSACTION_GET_LIST"),
    summary="List transactions",
    response=answers.of(answers.Transactions),
)
def listing(request: HttpRequest, filters: Query[TransactionFilter]) -> Json:
    """Pix received, returned and sent, and transfers here, newest first; fees and blocks by their `type`."""
    owner = company(request)
    found = selectors.keys(
        owner,
        kinds=KINDS,
        kind=filters.type or "",
        charge=filters.charge or "",
        qr_code=filters.pixQrCode or "",
        withdrawal=filters.withdrawal or "",
        start=filters.start,
        end=filters.end,
    )
    rows, info = paginate(request, found, filters)
    shown = [contract.transaction(row, owner) for row in selectors.load(owner, rows)]
    return {"status": "OK", "transactions": shown, "pageInfo": info}


@router.get(
    "/transaction/{identifier}",
    **needs("TRANSACTION_GET"),
    summary="Get a transaction",
    response=answers.of(answers.OneTransaction),
)
def read(
    request: HttpRequest,
    identifier: PathEx[str, P(description="An end-to-end id, txid, refund id, correlationID or id.")],
    account: Query[OfAccount],
) -> Json:
    """One Pix received, returned or sent, or one transfer here."""
    owner = company(request)
    check_account(request, account)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        found = selectors.find(owner, decoded(identifier), BY_TYPE)
        if found is None:
            raise NotFound("Transaction not found")
        looked_up.settle(1)
    return {"transaction": contract.transaction(found, owner)}


@router.get(
    "/statement",
    **needs("STATEMENT_GET"),
    summary="List movements of the account",
    response=answers.of(list[answers.StatementLine]),
)
def statement(request: HttpRequest, period: Query[Period], account: Query[OfAccount]) -> list[Json]:
    """Movements of the default account with the balance after each, newest first, as a bare array."""
    owner = company(request)
    check_account(request, account)
    with limits.rows(request, str(owner.pk), period.limit) as charged:
        lines = selectors.statement(owner, period.start, period.end, period.skip, period.limit)
        charged.settle(len(lines))
    return [contract.statement_line(line) for line in lines]
