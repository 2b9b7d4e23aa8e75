"""GET /openpix/testing: in development, pay a charge or a static QR code as a shopper's bank would. Tests of integrations call it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from payments.api.app import api, unauthorized
from payments.api.auth import AppID
from payments.api.middleware import error
from payments.models import Charge
from payments.selectors import charges, qr_codes
from payments.services.errors import AddressRefused, Forbidden
from woovi import database

PAYER = {"name": "Pagador de teste", "taxID": "52998224725"}
VALUE = 100  # centavos, where a code leaves it to the payer
TIMEOUT = 10.0  # seconds


@require_GET
def pay(request: HttpRequest) -> HttpResponse:
    """Pay what `?transactionID=` or `?identifier=` names: a txid, correlationID or a static code's identifier. 404 in production."""
    if settings.PRODUCTION:
        return error(HTTPStatus.NOT_FOUND, "Not Found")
    try:
        application = AppID("CHARGE_POST").authenticate(request, request.headers.get("Authorization"))
    except (AddressRefused, Forbidden) as refusal:
        return api.on_exception(request, refusal)
    if application is None:
        return unauthorized(request)
    wanted = request.GET.get("transactionID") or request.GET.get("identifier") or ""
    owner = application.company
    if charge := charges.find(owner, wanted) if wanted else None:
        return _pay({"txid": charge.txid, "payer": _payer(charge)}, charge.txid)
    if code := qr_codes.find(owner, wanted) if wanted else None:
        order = {"br_code": code.br_code, "payer": PAYER, **({} if code.value else {"value": VALUE})}
        return _pay(order, code.identifier)
    return error(HTTPStatus.BAD_REQUEST, "Charge not found")


def _payer(charge: Charge) -> dict[str, Any]:
    payer = charge.customer if charge.ensure_same_tax_id and charge.customer else PAYER
    return {"name": payer["name"], "taxID": payer["taxID"]}


def _pay(order: dict[str, Any], transaction_id: str) -> HttpResponse:
    database.let_go()
    try:
        answer = httpx.post(f"{settings.BANK_URL}/sim/pay", json=order, timeout=TIMEOUT)
    except httpx.HTTPError:
        return error(HTTPStatus.SERVICE_UNAVAILABLE, "The simulated bank does not answer")
    if not answer.is_success:
        return error(HTTPStatus.BAD_REQUEST, f"The bank does not take the payment: {answer.json().get('detail', '')}")
    told = answer.json()
    return JsonResponse({"status": "OK", "transactionID": transaction_id, "endToEndId": told["endToEndId"]})
