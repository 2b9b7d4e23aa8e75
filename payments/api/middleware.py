"""The middleware for every path that programs call: it routes the raw path, checks bodies, answers in JSON, and counts.

Django decodes a path before routing, which would split a correlationID at a `/`. So the raw path is routed, and the view
decodes its one segment. Errors that Django answers by itself (unknown path, wrong method, an exception that it has
logged) become the contract's JSON, never HTML.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response, set_response_etag

from payments.api import routes

API_ROOTS = {"api", "bank", "graphql", "openpix", "woovi"}  # first segments of paths that programs call
WITH_BODY = {"POST", "PUT", "PATCH"}
# Woovi's older prefix is answered as ever. RFC 9745: since when nobody should begin to use it (2026-01-01, in Unix seconds).
OLDER, PREFIX = "/api/openpix/v1/", "/api/v1/"
DEPRECATED_SINCE = "@1767225600"


def api_front_door(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django middleware; see the module."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.lstrip("/").partition("/")[0] not in API_ROOTS:
            return get_response(request)
        began = time.perf_counter()
        request.path_info = _raw_path(request).rstrip("/")
        response = _refused_body(request) or _as_json(_unless_known(request, _read(request)))
        if request.path_info.startswith(OLDER):
            successor = quote(request.path_info.replace(OLDER, PREFIX, 1), safe="/%")
            response["Deprecation"], response["Link"] = DEPRECATED_SINCE, f'<{successor}>; rel="successor-version"'
        routes.count(request, response.status_code, time.perf_counter() - began)
        return response

    def _read(request: HttpRequest) -> HttpResponseBase:
        """Answer HEAD as GET; the server leaves the body out (RFC 9110, 9.3.2)."""
        if request.method != "HEAD":
            return get_response(request)
        request.method = "GET"
        try:
            return get_response(request)
        finally:
            request.method = "HEAD"

    return answer


def _raw_path(request: HttpRequest) -> str:
    """The path as it was sent. WSGI servers give it decoded only; then it is encoded again."""
    raw: bytes | None = getattr(request, "scope", {}).get("raw_path")
    return raw.decode("latin-1") if raw else quote(request.path_info)


def _refused_body(request: HttpRequest) -> HttpResponse | None:
    """The refusal of a body that is too large or not JSON, before it is read."""
    if request.method not in WITH_BODY:
        return None
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0):
        return error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
    has_body = length != "0" or "Transfer-Encoding" in request.headers  # chunks come without a length
    if has_body and request.content_type != "application/json":
        return error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
    return None


def _unless_known(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """A read with its ETag; 304 where the client has this very answer (RFC 9110, 13). That saves its way, not the work."""
    is_read = request.method in {"GET", "HEAD"} and response.status_code == HTTPStatus.OK
    if not is_read or not isinstance(response, HttpResponse) or "json" not in response.get("Content-Type", ""):
        return response
    set_response_etag(response)
    response.setdefault("Cache-Control", "private, no-cache")  # to be kept, and asked for again
    if "If-None-Match" not in request.headers:
        return response
    return get_conditional_response(request, etag=response["ETag"], response=response) or response


def _as_json(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code < 400 or "json" in response.get("Content-Type", ""):
        return response
    clean = error(response.status_code, HTTPStatus(response.status_code).phrase)
    if allow := response.get("Allow"):
        clean["Allow"] = allow
    return clean


def error(status: int, message: str) -> JsonResponse:
    """An error in the contract's shape."""
    return JsonResponse({"error": message}, status=status)
