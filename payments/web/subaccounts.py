"""Pages of sub-accounts: the list, a new one, one with its statement, and movements between it and others."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from payments.models import Account, Subaccount
from payments.refusals import translated
from payments.rights import PAY
from payments.selectors import balances
from payments.selectors import subaccounts as select
from payments.selectors.transactions import statement_of
from payments.services import pix_keys
from payments.services import subaccounts as service
from payments.services.errors import ServiceError
from payments.services.payments import read_key
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import ReaisField, Text

PAGE = 25  # sub-accounts
LINES = 50  # movements
MOST_SKIPPED = 100_000  # movements; earlier ones are in the API's statement by days


class SubaccountForm(forms.Form):
    """A new sub-account."""

    name = Text(label=_("Name"), max_length=100)
    pix_key = Text(label=_("Pix key"), max_length=100, widget=forms.TextInput({"autocomplete": "off"}))


class MoveForm(forms.Form):
    """A movement. The second page sends `confirmed`, and what the first one has."""

    KINDS = [
        ("credit", _("Set aside for it, from your balance")),
        ("debit", _("Give back to your balance")),
        ("transfer", _("Move to another sub-account")),
    ]

    kind = forms.ChoiceField(label=_("What to do"), choices=KINDS, widget=forms.RadioSelect, initial="credit")
    value = ReaisField(label=_("Value"))
    to = forms.ModelChoiceField(Subaccount.objects.none(), label=_("To"), required=False)
    note = Text(label=_("Note"), max_length=140, required=False)
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") == "transfer" and not data.get("to") and "to" not in self.errors:
            self.add_error("to", _("Choose the other sub-account."))
        return data


class Side(NamedTuple):
    """One side of a movement: whose money, before and after it, in centavos."""

    name: str
    before: int
    after: int


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The sub-accounts with their money."""
    before, found = request.GET.get("before", ""), select.listing(request.company)
    older = found.filter(pk__lt=int(before)) if _is_id(before) else found
    rows = list(older[: PAGE + 1])
    context = {
        "subaccounts": rows[:PAGE],
        "total": found.aggregate(total=Sum("account__posted"))["total"] or 0,
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else "",
        "paged": bool(before),
    }
    return render(request, "web/parts/subaccounts.html" if request.htmx else "web/subaccounts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY)
def new(request: MerchantRequest) -> HttpResponse:
    """The form of a new sub-account. The same key again leads to the one that there is."""
    form = SubaccountForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            key = read_key(form.cleaned_data["pix_key"])
            made = service.open_(request.company, str(key), form.cleaned_data["name"])
        except (pix_keys.KeyNotFound, pix_keys.KeyRefused) as error:
            form.add_error("pix_key", translated(error))
        except ServiceError as error:
            form.add_error("pix_key" if error.field else None, translated(error))
        else:
            return redirect("web:subaccount", made.pk)
    return render(request, "web/subaccount_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@merchant
def show(request: MerchantRequest, pk: int) -> HttpResponse:
    """One sub-account with its statement."""
    subaccount = get_object_or_404(select.listing(request.company), pk=pk)
    given = request.GET.get("skip", "")
    skip = min(int(given), MOST_SKIPPED) if _is_id(given) else 0
    account = Account.objects.filter(pk=subaccount.account_id)
    lines = statement_of(account, None, None, skip, LINES + 1)
    context = {
        "subaccount": subaccount,
        "lines": lines[:LINES],
        "older": skip + LINES if len(lines) > LINES else "",
        "paged": bool(skip),
    }
    return render(request, "web/parts/subaccount.html" if request.htmx else "web/subaccount.html", context)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY)
def move(request: MerchantRequest, pk: int) -> HttpResponse:
    """Two steps: what and how much; then both sides before and after, and the confirmation."""
    subaccount = get_object_or_404(select.listing(request.company), pk=pk)
    form = MoveForm(request.POST if request.method == "POST" else None, initial={"correlation_id": uuid.uuid4()})
    form.fields["to"].queryset = select.listing(request.company).exclude(pk=pk)  # type: ignore[attr-defined]
    context: dict[str, Any] = {"subaccount": subaccount, "form": form, "balance": balances.balance(request.company)}
    if form.is_valid():
        data = form.cleaned_data
        if data["confirmed"]:
            try:
                _moved(request, subaccount, data)
            except ServiceError as error:
                form.add_error("value" if error.field == "value" else None, translated(error))
            else:
                messages.success(request, _("The money is moved."))
                return redirect("web:subaccount", pk)
        elif not (sides := _sides(request, subaccount, data))[0].after < 0:
            return render(request, "web/subaccount_confirm.html", {**context, "sides": sides})
        else:
            form.add_error("value", _("There is less than this value."))
    return render(request, "web/subaccount_move.html", context, status=422 if form.errors else 200)


def _sides(request: MerchantRequest, subaccount: Subaccount, data: dict[str, Any]) -> list[Side]:
    """Where it comes from, and where it goes."""
    value, available = data["value"], balances.balance(request.company).available
    there = subaccount.account.available
    main = str(_("Your balance"))
    match data["kind"]:
        case "credit":
            return [Side(main, available, available - value), Side(subaccount.name, there, there + value)]
        case "debit":
            return [Side(subaccount.name, there, there - value), Side(main, available, available + value)]
    other = data["to"].account.available
    return [Side(subaccount.name, there, there - value), Side(data["to"].name, other, other + value)]


def _moved(request: MerchantRequest, subaccount: Subaccount, data: dict[str, Any]) -> None:
    """Do it, once: the form's correlationID is the movement's. Raises ServiceError."""
    company, key, value, note = request.company, subaccount.pix_key, data["value"], data["note"]
    correlation_id = str(data["correlation_id"])
    match data["kind"]:
        case "credit":
            service.credit(company, key, value, note, correlation_id)
        case "debit":
            service.debit(company, key, value, note, correlation_id)
        case "transfer":
            service.transfer(company, key, data["to"].pix_key, value, correlation_id, note)
