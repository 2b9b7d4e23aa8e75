"""How a sub-account's money leaves it for good: a withdrawal to its Pix key, and its closing."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from payments.models import Subaccount
from payments.money import format_reais
from payments.refusals import translated
from payments.rights import PAY
from payments.selectors import balances
from payments.selectors import payments as select_payments
from payments.selectors import subaccounts as select
from payments.services import pix_keys
from payments.services import subaccounts as service
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import ReaisField
from payments.web.payments import key_owner


class WithdrawForm(forms.Form):
    """How much. The second page sends `confirmed`, and the end-to-end id of the look-up that it showed."""

    value = ReaisField(label=_("Value"))
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)
    end_to_end_id = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)


class CloseForm(forms.Form):
    """Centavos that the page has said to go back, so that no others do."""

    value = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY)
def withdraw(request: MerchantRequest, pk: int) -> HttpResponse:
    """Two steps: how much; then to whom, and what stays. It makes a payment, which another person approves with a code."""
    subaccount = _find(request, pk)
    available = subaccount.account.available
    begins = {"correlation_id": uuid.uuid4(), "value": format_reais(available) if available > 0 else ""}
    form = WithdrawForm(request.POST if request.method == "POST" else None, initial=begins)
    context: dict[str, Any] = {"subaccount": subaccount, "form": form, "available": available}
    if form.is_valid():
        data = form.cleaned_data
        made = select_payments.alone(request.company).filter(correlation_id=str(data["correlation_id"])).first()
        if made is not None:  # a double click
            return redirect("web:payment", made.public_id)
        try:
            service.check_withdrawal(subaccount, data["value"])
            checked, owner = key_owner(request, subaccount.pix_key)
            if data["confirmed"]:
                asked = (subaccount, data["value"], str(data["correlation_id"]))
                made = service.ask_withdrawal(*asked, request.user, owner, data["end_to_end_id"])
                return redirect("web:payment", made.public_id)
        except (pix_keys.KeyNotFound, ServiceError) as error:
            form.add_error("value" if getattr(error, "field", "") == "value" else None, translated(error))
        else:
            shown = {"owner": owner, "end_to_end_id": checked.end_to_end_id, "after": available - data["value"]}
            return render(request, "web/subaccount_withdraw_confirm.html", context | shown)
    return render(request, "web/subaccount_withdraw.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY)
def close(request: MerchantRequest, pk: int) -> HttpResponse:
    """Ask whether to close it, which gives its money back to the balance; a POST does both."""
    subaccount = _find(request, pk)
    form = CloseForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        try:
            _close(request, subaccount, form.cleaned_data)
        except ServiceError as error:
            messages.error(request, translated(error))
            return redirect("web:subaccount-close", pk)
        messages.success(request, _("%(name)s is closed.") % {"name": subaccount.name})
        return redirect("web:subaccounts")
    available = balances.balance(request.company).available
    left = subaccount.account.available
    context = {
        "subaccount": subaccount,
        "correlation_id": uuid.uuid4(),
        "before": available,
        "after": available + left,
    }
    return render(request, "web/subaccount_close.html", context, status=422 if form else 200)


def _close(request: MerchantRequest, subaccount: Subaccount, data: dict[str, Any]) -> None:
    """Give back what was shown, once, and close it; money that came meanwhile is refused by the closing."""
    if data["value"]:
        service.debit(request.company, subaccount.pix_key, data["value"], "", str(data["correlation_id"]))
    service.close(request.company, subaccount.pix_key)


def _find(request: MerchantRequest, pk: int) -> Subaccount:
    return get_object_or_404(select.listing(request.company), pk=pk)
