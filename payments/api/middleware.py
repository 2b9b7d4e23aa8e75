"""The API's front door: one way in for every path of programs, and JSON out of it, whatever happened.

Django decodes a path before it is routed, so a correlationID that holds `/` would be cut. Here the raw path is routed
instead, and a view decodes the one segment that it is given. Errors that Django answers itself (unknown path, wrong
method, an unexpected exception, which it has logged by then) leave as the contract's JSON and never as HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

PROGRAMS = {"api", "bank", "openpix"}  # first segments of paths that programs call
WITH_BODY = {"POST", "PUT", "PATCH"}


def api_front_door(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.lstrip("/").partition("/")[0] not in PROGRAMS:
            return get_response(request)
        request.path_info = _raw_path(request).rstrip("/")
        return _refused_body(request) or _as_json(_read(request))

    def _read(request: HttpRequest) -> HttpResponseBase:
        """HEAD is answered as GET, whose body the server then leaves out (RFC 9110, 9.3.2)."""
        if request.method != "HEAD":
            return get_response(request)
        request.method = "GET"
        try:
            return get_response(request)
        finally:
            request.method = "HEAD"

    return answer


def _raw_path(request: HttpRequest) -> str:
    """The path as it was sent; encoded again where the server gives it decoded only (WSGI)."""
    raw: bytes | None = getattr(request, "scope", {}).get("raw_path")
    return raw.decode("latin-1") if raw else quote(request.path_info)


def _refused_body(request: HttpRequest) -> HttpResponse | None:
    """What is wrong with a body before it is read."""
    if request.method not in WITH_BODY:
        return None
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0):
        return error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
    has_body = length != "0" or "Transfer-Encoding" in request.headers  # of chunks the length is not told
    if has_body and request.content_type != "application/json":
        return error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
    return None


def _as_json(response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code < 400 or response.get("Content-Type", "").startswith("application/json"):
        return response
    clean = error(response.status_code, HTTPStatus(response.status_code).phrase)
    if allow := response.get("Allow"):
        clean["Allow"] = allow
    return clean


def error(status: int, message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=status)
