"""Pages of charges: the list, the form of a new one, one charge."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
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
from payments.selectors import search
from payments.services import charges as service
from payments.services.errors import ServiceError, Unavailable
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import ChargeFilter, ChargeForm
from payments.web.pay import simulated_bank_url

PAGE = 25  # charges
# A service names the contract's field that is wrong; these are the form's fields for them.
FIELDS = {
    "value": "value",
    "comment": "comment",
    "expiresIn": "expires_in",
    "customer": "customer_name",
    "customer.name": "customer_name",
    "customer.taxID": "customer_tax_id",
}


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The list, filtered by state, days and value, and searched by text."""
    state = request.GET.get("status", "")
    state = state if state in select.STATES else ""
    text = request.GET.get("q", "").replace("\0", "").strip()[:255]
    found = select.with_returned(select.listing(request.company))
    if state:
        found = search.in_state(found, state)
    if text:
        found = search.matching(found, text)
    form = ChargeFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    found = search.created_on(found, wanted.get("first"), wanted.get("last"))
    if wanted.get("least"):
        found = found.filter(value__gte=wanted["least"])
    if wanted.get("most"):
        found = found.filter(value__lte=wanted["most"])
    rows, older = _slice(found, request.GET.get("before", ""))
    context = {
        "charges": rows,
        "older": older,
        "paged": "before" in request.GET,
        "status": state,
        "statuses": ["", *select.STATES],
        "q": text,
        "form": form,
        "sieved": any(wanted.values()) or bool(form.errors),
        "query": _without(request, "before"),
        "others": _without(request, "before", "status"),
        "filtered": bool(state or text or any(wanted.values())),
    }
    template = "web/parts/charges.html" if request.htmx else "web/charges.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _without(request: MerchantRequest, *names: str) -> str:
    """The query of the request without these parts, to be continued."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return f"{encoded}&" if (encoded := query.urlencode()) else ""


def _slice(found: QuerySet[Charge], before: str) -> tuple[list[Charge], str]:
    """The page of charges older than `before` (a public id; empty for the newest), and the next page's `before`.

    By position, not by page number, because new charges come in at the top while somebody reads.
    """
    last = found.filter(public_id=before).first() if before.isalnum() else None
    if last:
        found = found.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, id__gte=last.pk)
    rows = list(found[: PAGE + 1])
    return rows[:PAGE], rows[PAGE - 1].public_id if len(rows) > PAGE else ""


@require_safe
@merchant
@needs(CHARGE)
def blank(request: MerchantRequest) -> HttpResponse:
    """Redirect to a form with a correlationID in its address, so that sending it twice makes one charge."""
    like = request.GET.get("like", "")  # of which charge it is a copy, by its public id
    form = reverse("web:charge-form", args=[uuid.uuid4()])
    return redirect(f"{form}?like={like}" if like.isalnum() and like.isascii() else form)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(CHARGE)
def new(request: MerchantRequest, correlation_id: uuid.UUID) -> HttpResponse:
    """The form of a new charge."""
    form = ChargeForm(request.POST if request.method == "POST" else None, initial=_copied(request))
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
    """What the form begins with: nothing, or what the charge in `like` has."""
    like = request.GET.get("like", "").replace("\0", "")
    charge = select.listing(request.company).filter(public_id=like).first() if like else None
    if charge is None:
        return {}
    customer = charge.customer or {}
    return {
        "value": format_reais(charge.value).removeprefix("R$").strip(),
        "comment": charge.comment,
        "customer_name": customer.get("name", ""),
        "customer_tax_id": customer.get("taxID", ""),
        "expires_in": charge.expires_in,
    }


def _order(correlation_id: uuid.UUID, data: dict[str, Any]) -> service.ChargeRequest:
    customer = {"name": data["customer_name"], "taxID": data["customer_tax_id"]}
    return service.ChargeRequest(
        correlation_id=str(correlation_id),
        value=data["value"],
        comment=data["comment"],
        expires_in=data["expires_in"],
        customer={key: value for key, value in customer.items() if value} or None,
    )


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One charge with its timeline."""
    charge = get_object_or_404(select.with_returned(select.listing(request.company)), public_id=public_id)
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
