"""GET /openpix/testing: in development, pay a charge as a shopper's bank would. Tests of integrations call it."""

from __future__ import annotations

from http import HTTPStatus

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from payments.api.app import api, unauthorized
from payments.api.auth import AppID
from payments.api.middleware import error
from payments.models import Charge
from payments.selectors import charges
from payments.services.errors import AddressRefused, Forbidden
from woovi import database

PAYER = {"name": "Pagador de teste", "taxID": "52998224725"}
TIMEOUT = 10.0  # seconds


@require_GET
def pay(request: HttpRequest) -> HttpResponse:
    """Pay the charge in `?transactionID=` or `?identifier=`, its txid or correlationID. 404 in production."""
    if settings.PRODUCTION:
        return error(HTTPStatus.NOT_FOUND, "Not Found")
    try:
        application = AppID("CHARGE_POST").authenticate(request, request.headers.get("Authorization"))
    except (AddressRefused, Forbidden) as refusal:
        return api.on_exception(request, refusal)
    if application is None:
        return unauthorized(request)
    wanted = request.GET.get("transactionID") or request.GET.get("identifier") or ""
    charge = charges.find(application.company, wanted) if wanted else None
    if charge is None:
        return error(HTTPStatus.BAD_REQUEST, "Charge not found")
    return _pay(charge)


def _pay(charge: Charge) -> HttpResponse:
    payer = charge.customer if charge.ensure_same_tax_id and charge.customer else PAYER
    order = {"txid": charge.txid, "payer": {"name": payer["name"], "taxID": payer["taxID"]}}
    database.let_go()
    try:
        answer = httpx.post(f"{settings.BANK_URL}/sim/pay", json=order, timeout=TIMEOUT)
    except httpx.HTTPError:
        return error(HTTPStatus.SERVICE_UNAVAILABLE, "The simulated bank does not answer")
    if not answer.is_success:
        return error(HTTPStatus.BAD_REQUEST, f"The bank does not take the payment: {answer.json().get('detail', '')}")
    told = answer.json()
    return JsonResponse({"status": "OK", "transactionID": charge.txid, "endToEndId": told["endToEndId"]})
