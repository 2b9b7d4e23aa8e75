"""Pages of customers: the list, a new one, one with its charges."""

from __future__ import annotations

import re
import uuid

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from payments.refusals import translated
from payments.rights import CHARGE
from payments.selectors import charges
from payments.selectors import customers as select
from payments.services import customers as service
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import Text

PAGE = 25  # customers
SHOWN = 25  # charges of one
FIELDS = {"taxID": "tax_id", "correlationID": "tax_id"}


class CustomerForm(forms.Form):
    """A new customer."""

    name = Text(label=_("Name"), max_length=100)
    tax_id = Text(label=_("CPF or CNPJ"), max_length=40, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=254, required=False)
    phone = Text(label=_("Phone"), max_length=40, required=False, widget=forms.TextInput({"type": "tel"}))

    def clean_tax_id(self) -> str:
        """Without punctuation. The service checks its digits."""
        return re.sub(r"[.\-/\s]", "", self.cleaned_data["tax_id"]).upper()


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The customers, searched by text."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:255]
    before = request.GET.get("before", "")
    found = select.matching(select.listing(request.company), text) if text else select.listing(request.company)
    last = found.filter(public_id=before).first() if before.isalnum() else None
    if last:
        found = found.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, id__gte=last.pk)
    rows = list(found[: PAGE + 1])
    context = {
        "customers": rows[:PAGE],
        "older": rows[PAGE - 1].public_id if len(rows) > PAGE else "",
        "paged": bool(before),
        "q": text,
    }
    return render(request, "web/customers.html", context)


@require_safe
@merchant
@needs(CHARGE)
def blank(request: MerchantRequest) -> HttpResponse:
    """Redirect to a form with a correlationID in its address, so that sending it twice makes one customer."""
    return redirect("web:customer-form", uuid.uuid4())


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def new(request: MerchantRequest, correlation_id: uuid.UUID) -> HttpResponse:
    """The form of a new customer."""
    made = select.find(request.company, str(correlation_id))
    if made is not None:
        messages.info(request, _("This form has already made this customer."))
        return redirect("web:customer", made.public_id)
    form = CustomerForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            order = service.CustomerRequest(correlation_id=str(correlation_id), **form.cleaned_data)
            return redirect("web:customer", service.create(request.company, order).public_id)
        except ServiceError as error:
            form.add_error(FIELDS.get(error.field), translated(error))
    return render(request, "web/customer_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One customer, with the latest charges."""
    customer = get_object_or_404(select.listing(request.company), public_id=public_id)
    found = select.charges_of(customer, charges.with_returned(charges.listing(request.company)))
    context = {"customer": customer, "charges": found[:SHOWN], "filtered": False}
    return render(request, "web/parts/customer.html" if request.htmx else "web/customer.html", context)
