"""GET /pix-keys/{pixKey}/check, POST /pix-keys/check; GET /pix-keys/tokens, /pix-keys/tokens/logs.

Who has a Pix key, and the company's tokens for asking that.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import P, PathEx, Query, Router
from pydantic import ConfigDict

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Body, Text255
from payments.api.pages import Page, paginate
from payments.models import PixKeyMovement
from payments.pix import keys
from payments.services import pix_key_tokens, pix_keys
from payments.services.pix_keys import KeyNotFound, KeyRefused

router = Router(tags=["pix-key"])
Json = dict[str, Any]


class CheckBody(Body):
    """The Pix key to look up."""

    model_config = ConfigDict(json_schema_extra={"example": {"pixKey": "ana@exemplo.com"}})

    pixKey: Text255


@router.get(
    "/pix-keys/{pix_key}/check",
    **needs("PIX_KEY_CHECK_GET"),
    summary="Get the owner of a Pix key",
    response=answers.of(answers.KeyCheck, answers.KEY),
)
def check(request: HttpRequest, pix_key: PathEx[str, P(description="The key (URI-encoded).")]) -> Json | HttpResponse:
    """Who has a key, from the DICT or from its answer a moment ago. Only a look-up in the DICT costs tokens."""
    try:
        return _checked(request, unquote(pix_key))
    except (KeyNotFound, KeyRefused) as refusal:
        return _refused(refusal, {"errorCode": refusal.code})


@router.post(
    "/pix-keys/check",
    **needs("PIX_KEY_CHECK_POST"),
    summary="Get the owner of a Pix key",
    response=answers.of(answers.KeyCheck, answers.KEY_WITH_BODY),
)
def check_body(request: HttpRequest, body: CheckBody) -> Json | HttpResponse:
    """The same with the key in the body, which keeps it out of logs of addresses. Errors have no `errorCode`."""
    try:
        return _checked(request, body.pixKey)
    except (KeyNotFound, KeyRefused) as refusal:
        return _refused(refusal, {})


@router.get(
    "/pix-keys/tokens",
    **needs("PIX_KEY_TOKENS_GET"),
    summary="Get what is left of look-ups",
    response=answers.of(answers.Tokens),
)
def tokens(request: HttpRequest) -> Json:
    """How many tokens the company's tax id has. Reading costs none."""
    found = pix_key_tokens.balance(company(request))
    return {
        "tokens": found.tokens,
        "maxTokens": found.most,
        "nextRefresh": contract.time(found.next_refresh),
        "tokensAfterRefresh": found.after_refresh,
        "refreshRate": found.rate,
    }


@router.get(
    "/pix-keys/tokens/logs",
    **needs("PIX_KEY_TOKENS_GET_LIST"),
    summary="List where look-ups went",
    response=answers.of(answers.TokenMovements),
)
def logs(request: HttpRequest, page: Query[Page]) -> Json:
    """Movements, newest first."""
    rows, info = paginate(request, PixKeyMovement.objects.filter(company=company(request)).order_by("-id"), page)
    return {"logs": [_as_json(row) for row in rows], "pageInfo": info}


def _as_json(row: PixKeyMovement) -> Json:
    return {
        "operation": row.operation,
        "reason": row.reason,
        "tokens": row.tokens,
        "tokensBefore": row.tokens_before,
        "tokensAfter": row.tokens_after,
        **({"endToEndId": row.end_to_end_id} if row.end_to_end_id else {}),
        **({"pixKey": row.pix_key} if row.pix_key else {}),
        "createdAt": contract.time(row.created_at),
    }


def _checked(request: HttpRequest, text: str) -> Json:
    checked = pix_keys.check(company(request), text)
    owner = checked.owner
    return {
        "pixKey": owner.pix_key,
        "type": owner.key_type,
        "pixKeyEndToEndId": checked.end_to_end_id,
        "owner": {
            "name": owner.name,
            "taxID": keys.mask_tax_id(owner.tax_id),
            "psp": owner.ispb,
            "branch": "*" * len(owner.branch),
            "account": "*" * len(owner.account),
        },
    }


def _refused(refusal: KeyNotFound | KeyRefused, code: Json) -> HttpResponse:
    status = HTTPStatus.NOT_FOUND if isinstance(refusal, KeyNotFound) else HTTPStatus.BAD_REQUEST
    return JsonResponse({"error": refusal.message, **code}, status=status)
