"""GET /pix-keys/tokens, /pix-keys/tokens/logs: what is left of the company's look-ups, and where they went."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from payments import contract
from payments.api import answers
from payments.api.auth import company
from payments.api.pages import Page, cut
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
    rows, info = cut(request, PixKeyMovement.objects.filter(company=company(request)).order_by("-id"), page)
    return {"logs": [_shown(row) for row in rows], "pageInfo": info}


def _shown(row: PixKeyMovement) -> Json:
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
