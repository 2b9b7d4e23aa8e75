"""GET /pix-keys/{pixKey}/check, POST /pix-keys/check; GET /pix-keys/tokens, /pix-keys/tokens/logs;
GET, POST /pix-keys; DELETE /pix-keys/{pixKey}; PUT /pix-keys/{pixKey}/default.

Who has a Pix key, the company's tokens for asking that, and its own key. A company has one key, which the bank has registered:
no bank's Pix API registers keys, so an operator enters it, and a second one cannot be made here.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import P, PathEx, Query, Router, Status
from pydantic import AliasChoices, ConfigDict, Field

from payments import contract
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import CAPITALS, Body, Text255, decoded
from payments.api.pages import Page, paginate
from payments.models import Account, Company, PixKeyMovement
from payments.pix import keys
from payments.selectors import balances
from payments.services import companies, pix_key_tokens, pix_keys
from payments.services.errors import Invalid
from payments.services.pix_keys import KeyNotFound, KeyRefused

router = Router(tags=["pix-key"])
Json = dict[str, Any]


class CheckBody(Body):
    """The Pix key to look up."""

    model_config = ConfigDict(json_schema_extra={"example": {"pixKey": "ana@exemplo.com"}})

    pixKey: Text255


class NewKeyBody(Body):
    """A Pix key to create."""

    model_config = ConfigDict(json_schema_extra={"example": {"key": "11222333000181", "type": "CNPJ"}})

    key: Annotated[Text255 | None, Field(validation_alias=AliasChoices("key", "pixKey"))] = None
    type: Annotated[Literal["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"] | None, CAPITALS] = None


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


@router.get(
    "/pix-keys", **needs("PIX_KEY_GET_LIST"), summary="List your Pix keys", response=answers.of(answers.OwnKeys)
)
def own_keys(request: HttpRequest) -> Json:
    """The company's key, and the account to which it leads."""
    owner = company(request)
    account = Account.objects.get(company=owner, kind=Account.Kind.MERCHANT, is_default=True)
    shown = contract.account(account, owner, balances.of_account(account, owner))
    return {"pixKeys": [_own_key(owner)], "account": shown}


@router.post(
    "/pix-keys",
    **needs("PIX_KEY_POST"),
    summary="Create a Pix key",
    response={HTTPStatus.CREATED: answers.OwnKey, **answers.WITH_BODY},
)
def create_key(request: HttpRequest, body: NewKeyBody) -> Status[Json]:
    """The company's key again, if it is asked for. Any other is refused: keys are registered at the bank."""
    owner = company(request)
    if body.key and companies.dict_key(body.key) == owner.pix_key:
        return Status(HTTPStatus.CREATED, _own_key(owner))
    raise Invalid("key: Pix keys are registered at the bank, and entered by an operator", "key")


@router.delete(
    "/pix-keys/{pix_key}", **needs("PIX_KEY_DELETE"), summary="Delete a Pix key", response=answers.KEY_DELETED
)
def delete_key(request: HttpRequest, pix_key: PathEx[str, P(description="The key (URI-encoded).")]) -> HttpResponse:
    """Refused: the default key cannot be deleted, and there is no other."""
    if not _is_own(request, pix_key):
        return JsonResponse({"error": "Pix key not found"}, status=HTTPStatus.NOT_FOUND)
    raise Invalid("You cannot delete the default pix key", "pixKey")


@router.put(
    "/pix-keys/{pix_key}/default",
    **needs("PIX_KEY_DEFAULT_PUT"),
    summary="Change the default Pix key",
    response=answers.of(answers.OwnKey, answers.KEY),
)
def default_key(
    request: HttpRequest, pix_key: PathEx[str, P(description="The key (URI-encoded).")]
) -> Json | HttpResponse:
    """The company's one key is the default already."""
    if not _is_own(request, pix_key):
        return JsonResponse({"error": "Pix key not found"}, status=HTTPStatus.NOT_FOUND)
    return _own_key(company(request))


@router.post(
    "/pix-keys/{pix_key}/default",
    **needs("PIX_KEY_DEFAULT_PUT"),
    summary="Change the default Pix key, as Woovi's node for n8n asks for it",
    response=answers.of(answers.OwnKey, answers.KEY),
)
def default_key_as_n8n(
    request: HttpRequest, pix_key: PathEx[str, P(description="The key (URI-encoded).")]
) -> Json | HttpResponse:
    """The same."""
    return default_key(request, pix_key)


def _is_own(request: HttpRequest, pix_key: str) -> bool:
    return companies.dict_key(decoded(pix_key)) == company(request).pix_key


def _own_key(owner: Company) -> Json:
    return {"key": owner.pix_key, "type": keys.parse(owner.pix_key).type.value, "isDefault": True}


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
