"""Pages of single payments: the list, a new one by its key, and its approval by another person."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments.models import Payment
from payments.pix import keys
from payments.refusals import translated
from payments.rights import APPROVE, PAY
from payments.selectors import balances, bank_reads
from payments.selectors import payments as select
from payments.services import payments as service
from payments.services import pix_keys, second_factor
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs, require
from payments.web.forms import ReaisField, Text
from payments.web.second_factor import code_form, right_code
from woovi.cache import LoadFailed

PAGE = 25  # payments
Status = Payment.Status
STATUSES = ("", Status.CREATED, Status.PROCESSING, Status.CONFIRMED, Status.FAILED, Status.DENIED)
# A service names the contract's field that is wrong; these are the form's fields for them.
FIELDS = {"destinationAlias": "pix_key", "pixKey": "pix_key", "value": "value"}


class PaymentForm(forms.Form):
    """A new payment. The second page sends `confirmed`, and the end-to-end id of the look-up that it showed."""

    pix_key = Text(label=_("Pix key"), max_length=100, widget=forms.TextInput({"autocomplete": "off"}))
    value = ReaisField(label=_("Value"))
    comment = Text(label=_("Message to the receiver"), max_length=140, required=False)
    end_to_end_id = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)


class DenyForm(forms.Form):
    """Why a payment is denied."""

    reason = Text(label=_("Reason"), max_length=140)


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The payments that are in no batch."""
    status, before = request.GET.get("status", ""), request.GET.get("before", "")
    status = status if status in STATUSES else ""
    found = select.alone(request.company, status)
    last = found.filter(public_id=before).first() if before.isalnum() else None
    rows = list((found.filter(pk__lt=last.pk) if last else found)[: PAGE + 1])
    context = {
        "payments": rows[:PAGE],
        "older": rows[PAGE - 1].public_id if len(rows) > PAGE else "",
        "paged": bool(before),
        "status": status,
        "statuses": STATUSES,
    }
    return render(request, "web/parts/payments.html" if request.htmx else "web/payments.html", context)


@require_safe
@merchant
@needs(PAY)
def blank(request: MerchantRequest) -> HttpResponse:
    """Redirect to a form with a correlationID in its address, so that sending it twice makes one payment."""
    return redirect("web:payment-form", uuid.uuid4())


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY)
def new(request: MerchantRequest, correlation_id: uuid.UUID) -> HttpResponse:
    """Two steps: key and value; then whose key it is, and the confirmation."""
    made = select.alone(request.company).filter(correlation_id=str(correlation_id)).first()
    if made is not None:
        messages.info(request, _("This form has already made this payment."))
        return redirect("web:payment", made.public_id)
    form = PaymentForm(request.POST if request.method == "POST" else None)
    owner: dict[str, str] | None = None
    if form.is_valid():
        try:
            checked, owner = key_owner(request, form.cleaned_data["pix_key"])
            if form.cleaned_data["confirmed"]:
                order = _order(correlation_id, form.cleaned_data, owner)
                made = service.create(request.company, order, maker=request.user)
                return redirect("web:payment", made.public_id)
        except pix_keys.KeyNotFound as error:
            form.add_error("pix_key", translated(error))
        except ServiceError as error:
            form.add_error(FIELDS.get(error.field), translated(error))
    context: dict[str, Any] = {"form": form, "balance": balances.balance(request.company)}
    if owner and not form.errors:
        context |= {"owner": owner, "end_to_end_id": checked.end_to_end_id, "value": form.cleaned_data["value"]}
        return render(request, "web/payment_confirm.html", context)
    return render(request, "web/payment_new.html", context, status=422 if form.errors else 200)


def key_owner(request: MerchantRequest, text: str) -> tuple[pix_keys.Checked, dict[str, str]]:
    """Who has the key, and that as it is shown: no tax id of a person in full, no account. Raises ServiceError."""
    service.read_key(text)
    checked = pix_keys.check(request.company, text)
    found = checked.owner
    try:
        banks = bank_reads.participants(ispb=found.ispb)
    except LoadFailed:
        banks = []
    name = banks[0].name if banks else found.ispb
    return checked, {"name": found.name, "taxID": keys.mask_tax_id(found.tax_id), "bank": name}


def _order(correlation_id: uuid.UUID, data: dict[str, Any], owner: dict[str, str]) -> service.PaymentOrder:
    return service.PaymentOrder(
        correlation_id=str(correlation_id),
        value=data["value"],
        pix_key=data["pix_key"],
        comment=data["comment"],
        end_to_end_id=data["end_to_end_id"],
        owner=owner,
    )


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One payment with its timeline, and what the reader may do."""
    return _page(request, _find(request, public_id))


def _page(request: MerchantRequest, payment: Payment, forms: dict[str, forms.Form] | None = None) -> HttpResponse:
    code, deny = (forms or {}).get("approve") or code_form(), (forms or {}).get("deny") or DenyForm()
    waits = payment.status == Status.CREATED
    context = {
        "payment": payment,
        "code": code,
        "deny": deny,
        "is_maker": payment.maker_id == request.user.pk,
        "has_second_factor": waits and second_factor.is_on(request.user),
        "available": (payment.source or balances.balance(request.company)).available,
    }
    template = "web/parts/payment.html" if request.htmx else "web/payment.html"
    return render(request, template, context, status=422 if forms else 200)


@require_safe
@merchant
@needs(PAY)
def leave(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to take the payment back."""
    payment = _find(request, public_id)
    if payment.status != Status.CREATED:
        messages.error(request, _("This payment does not wait for approval any more."))
        return redirect("web:payment", public_id)
    return render(request, "web/payment_leave.html", {"payment": payment})


@require_POST
@merchant
@sensitive_post_parameters("code")
def act(request: MerchantRequest, public_id: str, action: str) -> HttpResponse:
    """Do one of ACTIONS to the payment. A refusal is shown on its page."""
    payment = _find(request, public_id)
    require(request, PAY if action == "remove" else APPROVE)
    try:
        wrong = ACTIONS[action](request, payment)
    except ServiceError as error:
        messages.error(request, translated(error))
    else:
        if wrong is not None:
            return _page(request, payment, {action: wrong})
        if action == "remove":
            messages.success(request, _("The payment was taken back."))
            return redirect("web:payments")
    return redirect("web:payment", public_id)


def _approve(request: MerchantRequest, payment: Payment) -> forms.Form | None:
    """Approve it with a code of the second factor. Returns the form where the code is wrong."""
    form = code_form(request.POST)
    if not second_factor.is_on(request.user):
        messages.error(request, _("Switch on your second factor first: who approves a payment proves it with a code."))
        return None
    if not form.is_valid() or not right_code(request, form):
        return form
    service.approve(request.company, payment.correlation_id, approver=request.user)
    messages.success(request, _("The payment is approved and on its way."))
    return None


def _deny(request: MerchantRequest, payment: Payment) -> forms.Form | None:
    form = DenyForm(request.POST)
    if not form.is_valid():
        return form
    service.deny(payment, form.cleaned_data["reason"])
    return None


def _remove(request: MerchantRequest, payment: Payment) -> None:
    service.remove(payment)


ACTIONS: dict[str, Callable[[MerchantRequest, Payment], forms.Form | None]] = {
    "approve": _approve,
    "deny": _deny,
    "remove": _remove,
}


def _find(request: MerchantRequest, public_id: str) -> Payment:
    found = select.alone(request.company).select_related("company", "maker", "approver", "source__subaccount")
    return get_object_or_404(found, public_id=public_id)
