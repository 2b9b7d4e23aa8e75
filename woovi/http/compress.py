"""Sends pages, styles and scripts compressed, so that a first visit on a phone is short.

Not what programs read, nor files that are sent while they are made. Django's own GZipMiddleware does all types, and WhiteNoise
would not know the weak ETags that it writes. Against BREACH each answer has a random length (as Django's), Django masks the
CSRF token anew in each page, and cookies are SameSite.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

TYPES = ("text/html", "text/css", "text/javascript", "image/svg+xml")
LEAST = 500  # bytes that are worth it
RANDOM = 100  # bytes at most by which an answer is longer than it needs to be


def compressed(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django middleware; see the module. It stands before WhiteNoise."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        # What we called W/"1" compressed WhiteNoise calls "1", and it compares letter by letter. RFC 9110, 13.1.2.
        if known := request.META.get("HTTP_IF_NONE_MATCH"):
            request.META["HTTP_IF_NONE_MATCH"] = known.removeprefix("W/")
        response = get_response(request)
        if not response.headers.get("Content-Type", "").startswith(TYPES) or "Content-Encoding" in response.headers:
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        wanted = request.method == "GET" and "gzip" in request.headers.get("Accept-Encoding", "")
        return _smaller(response) if wanted and response.status_code == HTTPStatus.OK else response

    return answer


def _smaller(response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, FileResponse):
        whole = HttpResponse(response.getvalue(), headers=dict(response.headers))
        response.close()
    elif isinstance(response, HttpResponse):
        whole = response
    else:
        return response
    if len(whole.content) < LEAST:
        return whole
    whole.content = compress_string(whole.content, max_random_bytes=RANDOM)
    whole.headers["Content-Encoding"] = "gzip"
    whole.headers["Content-Length"] = str(len(whole.content))
    if etag := whole.headers.get("ETag"):
        whole.headers["ETag"] = f"W/{etag.removeprefix('W/')}"
    return whole
