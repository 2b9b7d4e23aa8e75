"""The API: resources, documentation, and errors in the contract's shape."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from payments.api import (
    accounts,
    applications,
    charges,
    customers,
    decode,
    payments,
    pix_keys,
    psps,
    qr_codes,
    refunds,
    subaccounts,
    transactions,
    transfers,
    webhooks,
)
from payments.api.auth import AppID
from payments.api.documentation import Documentation
from payments.api.fields import StrictParser, complaint
from payments.api.middleware import error
from payments.services.errors import AddressRefused, Forbidden, ServiceError, TooMany, Unavailable

api = NinjaAPI(
    title="Woovi",
    version="1.0.0",
    description="Pix charges, refunds, payments and accounts. Values are centavos, times are UTC. "
    "Put your AppID into the Authorization header.",
    auth=AppID("undeclared"),  # each route declares its own (`needs`); one that forgot is closed to whoever has scopes
    parser=StrictParser(),
    docs=Documentation(),
    docs_url=None,  # at /api/docs
)
api.add_router("", charges.router)
api.add_router("", payments.router)
api.add_router("", accounts.router)
api.add_router("", applications.router)
api.add_router("", transfers.router)
api.add_router("", customers.router)
api.add_router("", refunds.router)
api.add_router("", transactions.router)
api.add_router("", subaccounts.router)
api.add_router("", pix_keys.router)
api.add_router("", psps.router)
api.add_router("", decode.router)
api.add_router("", qr_codes.router)
api.add_router("", webhooks.router)


@api.exception_handler(AuthenticationError)
def _unauthorized(request: HttpRequest, problem: AuthenticationError) -> HttpResponse:
    return unauthorized(request)


def unauthorized(request: HttpRequest, message: str = "appID inválido") -> HttpResponse:
    """The answer to a missing or wrong AppID, or one that may not be used from this address."""
    return api.create_response(request, {"data": None, "errors": [{"message": message}]}, status=401)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    """Answer with the first field that is wrong, and why; about applications with all, as Woovi does there."""
    found = [complaint({**each, "loc": _place(each["loc"])}) for each in problem.errors]
    body: dict[str, Any] = {"error": found[0][1]}
    if request.path_info.partition("/v1/")[2].startswith("application"):
        body["details"] = [{"field": field, "message": words.removeprefix(f"{field}: ")} for field, words in found]
    return api.create_response(request, body, status=HTTPStatus.BAD_REQUEST)


def _place(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """The field alone, of ("body", parameter, field, …) or ("query", field)."""
    return loc[2 if loc[0] == "body" else 1 :]


@api.exception_handler(HttpError)
def _http(request: HttpRequest, problem: HttpError) -> HttpResponse:
    return error(problem.status_code, problem.message)


@api.exception_handler(TooMany)
def _too_many(request: HttpRequest, problem: TooMany) -> HttpResponse:
    body = {"error": problem.message, "errorCode": "TOO_MANY_REQUESTS"}
    response = api.create_response(request, body, status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(math.ceil(problem.retry_after))
    return response


@api.exception_handler(AddressRefused)
def _address_refused(request: HttpRequest, problem: AddressRefused) -> HttpResponse:
    return unauthorized(request, problem.message)


@api.exception_handler(Forbidden)
def _forbidden(request: HttpRequest, problem: Forbidden) -> HttpResponse:
    return error(HTTPStatus.FORBIDDEN, problem.message)


@api.exception_handler(ServiceError)
def _refused(request: HttpRequest, problem: ServiceError) -> HttpResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(problem, Unavailable) else HTTPStatus.BAD_REQUEST
    return error(status, problem.message)
