"""POST /bank/pix: the bank's callback about received Pix and returns that ended."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.api.middleware import error
from payments.bank import parse_callback
from payments.services import reconciliation


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Answer 200 once everything is stored. After any other answer the bank calls again, and reconciliation finds it too."""
    if not constant_time_compare(request.headers.get("X-Bank-Callback-Token", ""), settings.BANK_CALLBACK_TOKEN):
        return error(HTTPStatus.UNAUTHORIZED, "Not the bank")
    try:
        received = parse_callback(request.body)
    except ValueError as problem:
        return error(HTTPStatus.BAD_REQUEST, str(problem))
    if not reconciliation.book_all(received):
        return error(HTTPStatus.SERVICE_UNAVAILABLE, "Not all is stored: tell it again")
    return JsonResponse({})
