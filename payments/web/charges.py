"""Pages of charges: the form of a new one, one charge, its print, and its end before it is paid."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from payments.contract import payment_link_url
from payments.models import Charge
from payments.money import format_reais
from payments.refusals import translated
from payments.rights import CHARGE
from payments.selectors import charges as select
from payments.selectors import customers
from payments.services import charges as service
from payments.services.charges import changing
from payments.services.charges.splits import SUB_ACCOUNT, Split
from payments.services.errors import ServiceError, Unavailable
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.charge_form import ChargeForm, copied
from payments.web.pay import simulated_bank_url

# A service names the contract's field that is wrong; these are the form's fields for them.
FIELDS = {
    "value": "value",
    "comment": "comment",
    "expiresIn": "expires_in",
    "customer": "customer_name",
    "customer.name": "customer_name",
    "customer.taxID": "customer_tax_id",
    "subaccount": "subaccount",
    "splits": "part_0",
}


@require_safe
@merchant
@needs(CHARGE)
def blank(request: MerchantRequest) -> HttpResponse:
    """Redirect to a form with a correlationID in its address, so that sending it twice makes one charge."""
    form = reverse("web:charge-form", args=[uuid.uuid4()])
    for name in ("like", "customer"):  # of which charge it is a copy, or for whom it is; by the public id
        given = request.GET.get(name, "")
        if given.isalnum() and given.isascii():
            return redirect(f"{form}?{name}={given}")
    return redirect(form)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def new(request: MerchantRequest, correlation_id: uuid.UUID) -> HttpResponse:
    """The form of a new charge."""
    sent = request.POST if request.method == "POST" else None
    form = ChargeForm(sent, initial=_copied(request), company=request.company)
    made = select.listing(request.company).filter(correlation_id=str(correlation_id)).first()
    status = 200
    if made is None and form.is_valid():
        try:
            made = service.create(request.company, _order(correlation_id, form.cleaned_data), return_existing=True)
        except ServiceError as error:
            status = 503 if isinstance(error, Unavailable) else 200
            form.add_error(FIELDS.get(error.field), translated(error))
    elif made is not None:
        messages.info(request, _("This form has already made this charge."))
    if made is not None:
        return redirect("web:charge", made.public_id)
    if form.is_bound and status == 200:
        status = 422
    return render(request, "web/charge_new.html", {"form": form}, status=status)


def _copied(request: MerchantRequest) -> dict[str, Any]:
    """What the form begins with: nothing, what the charge in `like` has, or whom `customer` names."""
    like = request.GET.get("like", "").replace("\0", "")
    charge = select.listing(request.company).filter(public_id=like).first() if like else None
    if charge is None:
        whom = request.GET.get("customer", "").replace("\0", "")
        found = customers.listing(request.company).filter(public_id=whom).first() if whom else None
        return {"customer_name": found.name, "customer_tax_id": found.tax_id} if found else {}
    return copied(charge, request.company)


def _order(correlation_id: uuid.UUID, data: dict[str, Any]) -> service.ChargeRequest:
    customer = {"name": data["customer_name"], "taxID": data["customer_tax_id"]}
    return service.ChargeRequest(
        correlation_id=str(correlation_id),
        value=data["value"],
        comment=data["comment"],
        expires_in=data["expires_in"],
        customer={key: value for key, value in customer.items() if value} or None,
        subaccount=data["subaccount"].pix_key if data["subaccount"] else "",
        splits=tuple(Split(centavos, to.pix_key, SUB_ACCOUNT) for to, centavos in data["parts"]),
    )


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One charge with its timeline."""
    charge = _find(request, public_id)
    received = select.settled_by(charge)
    fee = received.fee if received else charge.fee
    context = {
        "charge": charge,
        "state": select.state(charge),
        "received": received,
        "fee": -fee,
        "returned": -charge.refunded,
        "yours": charge.worth() - fee - charge.refunded,
        "timeline": select.timeline(charge),
        "left": charge.left,
        "pay_url": simulated_bank_url(charge),
        "link": payment_link_url(charge),
    }
    return render(request, "web/parts/charge.html" if request.htmx else "web/charge.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def cancel(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to cancel the charge; a POST does. It is gone then, so a second click only leads to the list."""
    if select.is_deleted(request.company, public_id):
        return redirect("web:charges")
    charge = _find(request, public_id)
    if charge.status != Charge.Status.ACTIVE:
        messages.error(request, _("Only a charge that waits for its payment can be cancelled."))
        return redirect("web:charge", public_id)
    if request.method != "POST":
        return render(request, "web/charge_cancel.html", {"charge": charge})
    try:
        changing.delete(charge)
    except ServiceError as error:
        messages.error(request, translated(error))
        return redirect("web:charge", public_id)
    messages.success(request, _("The charge of %(value)s is cancelled.") % {"value": format_reais(charge.value)})
    return redirect("web:charges")


@require_safe
@merchant
def poster(request: MerchantRequest, public_id: str) -> HttpResponse:
    """The code of a charge that can be paid, to be printed."""
    charge = _find(request, public_id)
    if charge.status != Charge.Status.ACTIVE:
        return redirect("web:charge", public_id)
    context = {"code": charge, "back": reverse("web:charge", args=[public_id]), "link": payment_link_url(charge)}
    return render(request, "web/poster.html", context)


def _find(request: MerchantRequest, public_id: str) -> Charge:
    return get_object_or_404(select.with_returned(select.listing(request.company)), public_id=public_id)
