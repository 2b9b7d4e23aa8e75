"""The middleware for every path that programs call: it routes the raw path, checks bodies, and answers in JSON.

Django decodes a path before routing, which would split a correlationID at a `/`. So the raw path is routed, and the view
decodes its one segment. Errors that Django answers by itself (unknown path, wrong method, an exception that it has
logged) become the contract's JSON, never HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

API_ROOTS = {"api", "bank", "graphql", "openpix"}  # first segments of paths that programs call
WITH_BODY = {"POST", "PUT", "PATCH"}


def api_front_door(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django middleware; see the module."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.lstrip("/").partition("/")[0] not in API_ROOTS:
            return get_response(request)
        request.path_info = _raw_path(request).rstrip("/")
        return _refused_body(request) or _as_json(_read(request))

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
