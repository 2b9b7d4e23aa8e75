"""Error pages. They use neither database nor session, which may be what is broken."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import NamedTuple

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from woovi.http.body_limit import JSON_PATHS


class ErrorText(NamedTuple):
    """Title of an error page, and what to do."""

    title: str | Promise
    help: str | Promise


TEXTS = {
    400: ErrorText(_("We could not read that"), _("The request was not well formed. Go back and try again.")),
    403: ErrorText(_("This is not yours to see"), _("Your log-in has no access to this page.")),
    404: ErrorText(_("Nothing here"), _("The page does not exist, or it belongs to somebody else.")),
    429: ErrorText(_("Too many tries"), _("We stopped counting. Wait a little, then try again.")),
    500: ErrorText(_("Something broke on our side"), _("It was written down. No money moved by half.")),
    503: ErrorText(_("Too much at once"), _("We could not answer just now. Try again in a moment.")),
}
CSRF = ErrorText(
    _("This form is no longer valid"),
    _("It was open for too long, or cookies are switched off. Go back, reload the page and send it again."),
)


def _page(request: HttpRequest, status: int, text: ErrorText) -> HttpResponse:
    """The page; for programs the contract's JSON."""
    if request.path_info.startswith(JSON_PATHS):
        code = {"errorCode": "TOO_MANY_REQUESTS"} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        return JsonResponse({"error": HTTPStatus(status).phrase, **code}, status=status)
    return render(request, "web/error.html", {"status": status, "words": text}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    return _page(request, 400, TEXTS[400])


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403 with a button to log out, since this log-in may see no other page either."""
    operator = request.path_info.startswith("/admin/") and not request.path_info.startswith("/admin/login")
    context = {"status": 403, "words": TEXTS[403], "operator": operator}
    return render(request, "web/forbidden.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    return _page(request, 404, TEXTS[404])


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database is away or has no free connection, so that the client tries again."""
    # Django calls this while it handles the exception, and has logged it already.
    status = 503 if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)) else 500
    return _page(request, status, TEXTS[status])


def refused(request: HttpRequest, status: int) -> HttpResponse:
    """The setting RATE_LIMIT_REFUSAL. It runs before any other middleware, so it finds out the language by itself."""
    with translation.override(translation.get_language_from_request(request)):
        return _page(request, status, TEXTS[status])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose CSRF token is missing or old."""
    return _page(request, 403, CSRF)
