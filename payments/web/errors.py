"""Error pages. They use nothing that may be broken: no database, no session."""

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


class Words(NamedTuple):
    title: str | Promise
    help: str | Promise


WORDS = {
    400: Words(_("We could not read that"), _("The request was not well formed. Go back and try again.")),
    403: Words(_("This is not yours to see"), _("Your log-in has no access to this page.")),
    404: Words(_("Nothing here"), _("The page does not exist, or it belongs to somebody else.")),
    429: Words(_("Too many tries"), _("We stopped counting. Wait a little, then try again.")),
    500: Words(_("Something broke on our side"), _("It was written down. No money moved by half.")),
    503: Words(_("Too much at once"), _("We could not answer just now. Try again in a moment.")),
}
CSRF = Words(
    _("This form is no longer valid"),
    _("It was open for too long, or cookies are switched off. Go back, reload the page and send it again."),
)


def _page(request: HttpRequest, status: int, words: Words) -> HttpResponse:
    return render(request, "web/error.html", {"status": status, "words": words}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400, WORDS[400])


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """With a way out: no other page is this log-in's either."""
    context = {"status": 403, "words": WORDS[403], "operator": request.path_info.startswith("/admin/")}
    return render(request, "web/forbidden.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404, WORDS[404])


def server_error(request: HttpRequest) -> HttpResponse:
    """500; 503 where the database is away or has no connection free, so that the client tries again."""
    # Django calls this while it handles the exception. It has logged that, whichever status is answered.
    status = 503 if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)) else 500
    return _page(request, status, WORDS[status])


def refused(request: HttpRequest, status: int) -> HttpResponse:
    """RATE_LIMIT_REFUSAL: the contract's JSON for programs, a page for people. Before any other middleware, so it asks
    for the language itself."""
    if request.path_info.startswith(JSON_PATHS):
        code = {"errorCode": "TOO_MANY_REQUESTS"} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        return JsonResponse({"error": HTTPStatus(status).phrase, **code}, status=status)
    with translation.override(translation.get_language_from_request(request)):
        return _page(request, status, WORDS[status])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, 403, CSRF)
