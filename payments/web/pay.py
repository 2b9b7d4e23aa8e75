"""The shopper's page of a charge or a static QR code, public to whoever has its unguessable link.

It shows who asks, how much and what for, and nothing else: no customer, payer, fee or id of the merchant.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from payments import limits
from payments.models import Charge, QrCode
from payments.selectors import charges as select
from payments.selectors import qr_codes
from payments.web.errors import ErrorText
from woovi.ratelimit.middleware import rate_limit

MISSING = ErrorText(_("There is no such payment"), _("Check the link, or ask whoever sent it to you for a new one."))


def shopper(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Decorate a public view: read only, rate limited, stored in no cache, listed by no search engine."""

    @wraps(view)
    @require_safe
    @never_cache
    @rate_limit("pay.address")
    def shown(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return shown


@shopper
def show(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """The page. With `?seen=`, the state that a page shows now: 204 if that still holds, else the part that changed.

    Pages poll, because WebSockets for anonymous people would let anybody hold our connections open.
    """
    limits.open_link(request, str(payment_link_id))
    charge = select.by_payment_link(payment_link_id)
    if charge is None:
        return _static(request, payment_link_id)
    state, returned, seen = _state(charge), select.returned(charge), request.GET.get("seen", "")
    mark = f"{state}{returned or ''}"
    if seen == mark:
        return HttpResponse(status=204)
    context = {
        "charge": charge,
        "state": state,
        "returned": returned,
        "mark": mark,
        "part": bool(seen),
        "bank_url": simulated_bank_url(charge),
    }
    return render(request, "web/parts/pay.html" if seen else "web/pay.html", context)


def _static(request: HttpRequest, payment_link_id: UUID) -> HttpResponse:
    """The page of a static QR code. It never changes, so it is not polled."""
    code = qr_codes.by_payment_link(payment_link_id)
    if code is None:
        return _missing(request)
    return render(request, "web/pay_static.html", {"code": code, "bank_url": simulated_bank_url(code)})


@shopper
def missing(request: HttpRequest) -> HttpResponse:
    """404 for any path below /pay that is not a payment link's id."""
    return _missing(request)


def _missing(request: HttpRequest) -> HttpResponse:
    return render(request, "web/pay_missing.html", {"status": 404, "words": MISSING}, status=404)


def _state(charge: Charge) -> str:
    """open, paid, partly_refunded, refunded, expired, or over.

    over: the time is up, but the bank may still report a Pix that was paid in time.
    """
    state = select.state(charge)
    if state == Charge.Status.ACTIVE:
        return "over" if timezone.now() >= charge.expires_at else "open"
    return "paid" if state == Charge.Status.COMPLETED else state.lower()


def simulated_bank_url(charge: Charge | QrCode) -> str:
    """Address at which the simulated bank pays it; empty in production."""
    return "" if settings.PRODUCTION else f"{settings.BANK_URL}/pay?code={quote(charge.br_code, safe='')}"
