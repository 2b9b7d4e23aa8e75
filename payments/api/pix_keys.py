"""GET /pix-keys/{pixKey}/check, POST /pix-keys/check; GET /pix-keys/tokens, /pix-keys/tokens/logs;
GET, POST /pix-keys; DELETE /pix-keys/{pixKey}; PUT /pix-keys/{pixKey}/default.

Who has a Pix key, the company's tokens for asking that, and its own keys.
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
from payments.api.middleware import error
from payments.api.pages import OfAccount, Page, check_account, paginate
from payments.models import Account, Company, PixKeyMovement
from payments.pix import keys
from payments.selectors import balances
from payments.services import own_keys as keys_of
from payments.services import pix_key_tokens, pix_keys
from payments.services.errors import NotFound
from payments.services.pix_keys import KeyNotFound, KeyRefused

router = Router(tags=["pix-key"])
Json = dict[str, Any]
OwnKey = PathEx[str, P(description="The key (URI-encoded).")]


class CheckBody(Body):
    """The Pix key to look up."""

    model_config = ConfigDict(json_schema_extra={"example": {"pixKey": "ana@exemplo.com"}})

    pixKey: Text255


class NewKeyBody(Body):
    """A Pix key to create."""

    model_config = ConfigDict(json_schema_extra={"example": {"type": "EVP"}})

    key: Annotated[Text255 | None, Field(validation_alias=AliasChoices("key", "pixKey"))] = None
    type: Annotated[Literal["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"] | None, CAPITALS] = None


@router.get(
    "/pix-keys/{pix_key}/check",
    **needs("PIX_KEY_CHECK_GET"),
    summary="Get the owner of a Pix key",
    response=answers.of(answers.KeyCheck, answers.KEY),
)
def check(request: HttpRequest, pix_key: OwnKey) -> Json | HttpResponse:
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
def logs(request: HttpRequest, page: Query[Page], account: Query[OfAccount]) -> Json:
    """Movements, newest first."""
    check_account(request, account)
    rows, info = paginate(request, PixKeyMovement.objects.filter(company=company(request)).order_by("-id"), page)
    return {"logs": [_as_json(row) for row in rows], "pageInfo": info}


@router.get(
    "/pix-keys", **needs("PIX_KEY_GET_LIST"), summary="List your Pix keys", response=answers.of(answers.OwnKeys)
)
def own_keys(request: HttpRequest) -> Json:
    """The company's keys, the default one first, and the account to which they lead."""
    owner = company(request)
    account = Account.objects.get(company=owner, kind=Account.Kind.MERCHANT, is_default=True)
    shown = contract.account(account, owner, balances.of_account(account, owner))
    return {"pixKeys": [_own_key(owner, key) for key in keys_of.listing(owner)], "account": shown}


@router.post(
    "/pix-keys",
    **needs("PIX_KEY_POST"),
    summary="Create a Pix key",
    response={HTTPStatus.CREATED: answers.OwnKey, **answers.WITH_BODY},
)
def create_key(request: HttpRequest, body: NewKeyBody) -> Status[Json]:
    """Register a random key (`EVP`, without a `key`), or your CPF or CNPJ, at the bank. It costs tokens, as a look-up does.

    A key that you have is answered as it is. E-mails and phones are the bank's to confirm, and entered by an operator.
    """
    owner = company(request)
    return Status(HTTPStatus.CREATED, _own_key(owner, keys_of.create(owner, body.key or "", body.type or "")))


@router.delete(
    "/pix-keys/{pix_key}", **needs("PIX_KEY_DELETE"), summary="Delete a Pix key", response=answers.KEY_DELETED
)
def delete_key(request: HttpRequest, pix_key: OwnKey) -> HttpResponse:
    """Take a key out of the directory; the default one is refused. A Pix on its way to it is still credited."""
    try:
        keys_of.remove(company(request), decoded(pix_key))
    except NotFound as refusal:
        return error(HTTPStatus.NOT_FOUND, refusal.message)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.put(
    "/pix-keys/{pix_key}/default",
    **needs("PIX_KEY_DEFAULT_PUT"),
    summary="Change the default Pix key",
    response=answers.of(answers.OwnKey, answers.KEY),
)
def default_key(request: HttpRequest, pix_key: OwnKey) -> Json | HttpResponse:
    """Let new charges and codes have this key of yours. Those that are there keep theirs, and are credited."""
    owner = company(request)
    try:
        return _own_key(owner, keys_of.make_default(owner, decoded(pix_key)))
    except NotFound as refusal:
        return error(HTTPStatus.NOT_FOUND, refusal.message)


@router.post(
    "/pix-keys/{pix_key}/default",
    **needs("PIX_KEY_DEFAULT_PUT"),
    summary="Change the default Pix key, as Woovi's node for n8n asks for it",
    response=answers.of(answers.OwnKey, answers.KEY),
)
def default_key_as_n8n(request: HttpRequest, pix_key: OwnKey) -> Json | HttpResponse:
    """The same."""
    return default_key(request, pix_key)


def _own_key(owner: Company, key: str) -> Json:
    return {"key": key, "type": keys.parse(key).type.value, "isDefault": key == owner.pix_key}


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
