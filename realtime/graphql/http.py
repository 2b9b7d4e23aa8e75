"""POST /graphql: by an AppID, as the REST API, or by a session with its CSRF token, as pages. GET: GraphiQL, in development.

Source: https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import strawberry
from csp.decorators import csp_exempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods
from pydantic_core import from_json

from payments.api.app import api, unauthorized
from payments.api.auth import AppID
from payments.api.middleware import error
from payments.graphql.context import Context
from payments.graphql.errors import Refused
from payments.graphql.execution import Json, answer, read
from payments.models import User
from payments.services.errors import AddressRefused, Forbidden

RESPONSE = "application/graphql-response+json"
GRAPHIQL = Path(strawberry.__file__).parent / "static" / "graphiql.html"


@csrf_exempt
@require_http_methods(["GET", "POST"])
@never_cache
def graphql(request: HttpRequest) -> HttpResponseBase:
    """The view of /graphql."""
    if request.method == "GET":
        return _graphiql(request)
    key = request.headers.get("Authorization")
    if key:
        return _by_app_id(request, key)
    return _by_session(request) if request.user.is_authenticated else unauthorized(request)


def _by_app_id(request: HttpRequest, key: str) -> HttpResponseBase:
    try:
        application = AppID("GRAPHQL_POST").authenticate(request, key)
    except (AddressRefused, Forbidden) as refusal:
        return api.on_exception(request, refusal)
    if application is None:
        return unauthorized(request)
    return _answered(request, Context(application.company, None, request))


@csrf_protect
def _by_session(request: HttpRequest) -> HttpResponseBase:
    user = cast(User, request.user)
    if user.company is None:
        return error(HTTPStatus.FORBIDDEN, "This log-in has no company")
    return _answered(request, Context(user.company, user, request))


def _answered(request: HttpRequest, context: Context) -> HttpResponse:
    try:
        wanted = read(_body(request))
        if wanted.is_subscription:
            raise Refused("Subscriptions are followed by WebSocket, at the same address")
        return _response(request, answer(wanted, context), HTTPStatus.OK)
    except Refused as refused:
        return _response(request, {"errors": refused.errors}, HTTPStatus.BAD_REQUEST)


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = from_json(request.body, allow_inf_nan=False)
    except ValueError:
        raise Refused("The body must be JSON") from None
    if not isinstance(body, dict):
        raise Refused("The body must be one request, as an object")
    return body


def _response(request: HttpRequest, body: Json, status: HTTPStatus) -> HttpResponse:
    """With a client that knows only application/json every request that was understood is 200, as the draft has it."""
    if RESPONSE in request.headers.get("Accept", ""):
        return JsonResponse(body, status=status, content_type=RESPONSE)
    return JsonResponse(body)


@csp_exempt()
def _graphiql(request: HttpRequest) -> HttpResponse:
    """Strawberry's page, whose scripts come from elsewhere: for who is logged in, or puts an AppID into its headers."""
    if settings.PRODUCTION:
        return error(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.METHOD_NOT_ALLOWED.phrase)
    page = GRAPHIQL.read_text()  # scripts cannot read our CSRF cookie
    return HttpResponse(page.replace('Cookies.get("csrftoken")', json.dumps(get_token(request))))
