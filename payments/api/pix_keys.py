"""GET /pix-keys/tokens, /pix-keys/tokens/logs: the company's tokens for looking up Pix keys, and how they were used."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from payments import contract
from payments.api import answers
from payments.api.auth import company
from payments.api.pages import Page, paginate
from payments.models import PixKeyMovement
from payments.services import pix_key_tokens

router = Router(tags=["pix-key"])
Json = dict[str, Any]


@router.get("/pix-keys/tokens", summary="Get what is left of look-ups", response=answers.of(answers.Tokens))
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


@router.get("/pix-keys/tokens/logs", summary="List where look-ups went", response=answers.of(answers.TokenMovements))
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
