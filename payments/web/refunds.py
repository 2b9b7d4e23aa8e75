"""The refund form in two steps: how much, then a confirmation."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from payments.models import Charge
from payments.refusals import translated
from payments.rights import CHARGE
from payments.selectors import balances
from payments.selectors import charges as select
from payments.services.charges import refunds as service
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import RefundForm


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def new(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Both steps; the second sends `confirmed`."""
    charge = get_object_or_404(select.listing(request.company), public_id=public_id)
    left = charge.left
    sent = request.POST if request.method == "POST" else None
    if sent and charge.refunds.filter(correlation_id=sent.get("correlation_id", "").replace("\0", "")).exists():
        return redirect("web:charge", public_id)  # a double click: the refund is under way
    if charge.status != Charge.Status.COMPLETED or left == 0:
        messages.error(request, _("There is nothing left to return of this charge."))
        return redirect("web:charge", public_id)

    available = max(balances.balance(request.company).available, 0)
    most = min(left, available)
    form = RefundForm(sent, left=left, most=most, initial={"correlation_id": uuid.uuid4()})
    valid = form.is_valid()
    if valid and form.cleaned_data["confirmed"]:
        data = form.cleaned_data
        try:
            asked = charge, str(data["correlation_id"]), data["value"], data["comment"]
            service.request(request.company, *asked, maker=request.user)
        except ServiceError as error:
            form.add_error(None, translated(error))
        else:
            messages.success(request, _("The return was asked for. The bank usually confirms it within seconds."))
            return redirect("web:charge", public_id)
    context = {
        "charge": charge,
        "left": left,
        "available": available,
        "most": most,
        "form": form,
        "received": select.settled_by(charge),
    }
    template = "web/refund_confirm.html" if valid and not form.errors else "web/refund.html"
    return render(request, template, context, status=422 if form.errors else 200)
