"""Pages of static QR codes: the list, a new one, one with what it received, its print, its end."""

from __future__ import annotations

import uuid

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from payments.contract import payment_link_url
from payments.models import QrCode
from payments.refusals import translated
from payments.rights import CHARGE
from payments.selectors import qr_codes as select
from payments.services import qr_codes as service
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import ReaisField, Text
from payments.web.pay import simulated_bank_url

PAGE = 25  # codes
SHOWN = 25  # Pix of one


class QrCodeForm(forms.Form):
    """A new static QR code."""

    name = Text(label=_("Name"), max_length=140)
    value = ReaisField(label=_("Value"), required=False)
    comment = Text(label=_("Message to the payer"), max_length=140, required=False)


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The codes, each with what it received."""
    before, found = request.GET.get("before", ""), select.with_received(select.listing(request.company))
    last = select.listing(request.company).filter(public_id=before).first() if before.isalnum() else None
    if last:
        found = found.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, id__gte=last.pk)
    rows = list(found[: PAGE + 1])
    context = {
        "codes": rows[:PAGE],
        "older": rows[PAGE - 1].public_id if len(rows) > PAGE else "",
        "paged": bool(before),
    }
    return render(request, "web/parts/qr_codes.html" if request.htmx else "web/qr_codes.html", context)


@require_safe
@merchant
@needs(CHARGE)
def blank(request: MerchantRequest) -> HttpResponse:
    """Redirect to a form with a correlationID in its address, so that sending it twice makes one code."""
    return redirect("web:qr-code-form", uuid.uuid4())


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def new(request: MerchantRequest, correlation_id: uuid.UUID) -> HttpResponse:
    """The form of a new code."""
    made = select.find(request.company, str(correlation_id))
    if made is not None:
        messages.info(request, _("This form has already made this QR code."))
        return redirect("web:qr-code", made.public_id)
    form = QrCodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            order = service.QrCodeRequest(correlation_id=str(correlation_id), **form.cleaned_data)
            return redirect("web:qr-code", service.create(request.company, order).public_id)
        except ServiceError as error:
            form.add_error(error.field if error.field in form.fields else None, translated(error))
    return render(request, "web/qr_code_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One code, with the latest Pix that it received."""
    code = _find(request, public_id)
    context = {
        "code": code,
        "received": select.received_by(code)[:SHOWN],
        "link": payment_link_url(code),
        "pay_url": simulated_bank_url(code),
    }
    return render(request, "web/parts/qr_code.html" if request.htmx else "web/qr_code.html", context)


@require_safe
@merchant
def poster(request: MerchantRequest, public_id: str) -> HttpResponse:
    """The code, to be printed."""
    code = _find(request, public_id)
    context = {"code": code, "back": reverse("web:qr-code", args=[public_id]), "link": payment_link_url(code)}
    return render(request, "web/poster.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def delete(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to delete the code; a POST does."""
    code = _find(request, public_id)
    if request.method != "POST":
        return render(request, "web/qr_code_delete.html", {"code": code})
    service.delete(code)
    messages.success(request, _("The QR code %(name)s is deleted.") % {"name": code.name})
    return redirect("web:qr-codes")


def _find(request: MerchantRequest, public_id: str) -> QrCode:
    return get_object_or_404(select.with_received(select.listing(request.company)), public_id=public_id)
