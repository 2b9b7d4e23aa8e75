"""What operators do for a merchant: return money of a charge, adjust a balance, and read a Pix at the bank again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.confirm import on_each
from payments.admin.proposals import propose
from payments.admin.reason import Reason, asked, refused
from payments.models import Account, Charge, ReceivedPix
from payments.money import parse_reais
from payments.services.errors import Invalid, ServiceError
from payments.services.reconciliation import rereading

MOST = 10**13  # centavos of one adjustment: more is a slip

if TYPE_CHECKING:
    _Page = admin.ModelAdmin[Any]
else:
    _Page = object


class HowMuch(Reason):
    """How much of each charge goes back, and why."""

    value = forms.CharField(
        label=_("Value"),
        max_length=30,
        required=False,
        help_text=_("In reais, of each charge. Empty: all that is left."),
    )
    field_order = ("value", "reason")

    def clean_value(self) -> int | None:
        """Centavos."""
        text = self.cleaned_data["value"]
        try:
            return parse_reais(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(_("A value in reais, such as 12,34.")) from error


class ChargeActions(_Page):
    """Actions on charges."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_charge")

    @admin.action(description=_("Return money to the payer, for the merchant"), permissions=["act"])
    def refund(self: Any, request: HttpRequest, charges: QuerySet[Charge]) -> HttpResponse | None:
        question = str(_("Return money of these charges out of their merchants' balances?"))
        page, given = asked(self, request, charges, "refund", question, HowMuch)
        if page:
            return page
        for charge in charges:
            value = charge.left if given["value"] is None else given["value"]
            try:
                if charge.status == Charge.Status.COMPLETED and not 0 < value <= charge.left:
                    raise Invalid(
                        f"value must be from 1 to what is left of the charge, {charge.left} centavos", "value"
                    )
                propose(self, request, charge, "refund", given["reason"], {"value": value})
            except ServiceError as error:
                refused(request, charge, error)
        return None


class Adjustment(Reason):
    """How much more or less each merchant is to have, what it reads of it, and why."""

    direction = forms.ChoiceField(
        label=_("What"),
        choices=[("1", _("Credit: the merchant has more")), ("-1", _("Debit: the merchant has less"))],
        widget=forms.RadioSelect,
    )
    value = forms.CharField(label=_("Value"), max_length=30, help_text=_("In reais."))
    note = forms.CharField(
        label=_("What the merchant's statement says"),
        max_length=140,
        required=False,
        help_text=_("Empty: that it is an adjustment."),
    )
    field_order = ("direction", "value", "note", "reason")

    def clean_value(self) -> int:
        """Centavos, not 0."""
        try:
            value = parse_reais(self.cleaned_data["value"])
        except ValueError:
            value = 0
        if not 0 < value <= MOST:
            raise forms.ValidationError(_("A value in reais, such as 12,34."))
        return value


class AccountActions(_Page):
    """Actions on accounts."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_account")

    @admin.action(description=_("Credit or debit the merchant"), permissions=["act"])
    def adjust(self: Any, request: HttpRequest, accounts: QuerySet[Account]) -> HttpResponse | None:
        question = str(_("What are these merchants to have more or less?"))
        page, given = asked(self, request, accounts, "adjust", question, Adjustment)
        if page:
            return page
        after = {"value": given["value"] * int(given["direction"]), "note": given["note"]}
        for account in accounts:
            try:
                propose(self, request, account, "adjust", given["reason"], after)
            except ServiceError as error:
                refused(request, account, error)
        return None


class PixActions(_Page):
    """Actions on received Pix."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_receivedpix")

    @admin.action(description=_("Read again at the bank, with its returns"), permissions=["act"])
    def read_again(self: Any, request: HttpRequest, rows: QuerySet[ReceivedPix]) -> None:
        def act(pix: ReceivedPix) -> str:
            rereading.read_again(pix.end_to_end_id)
            return "Read again at the bank."

        on_each(self, request, rows, act)


def read_unknown(request: HttpRequest, end_to_end_id: str) -> ReceivedPix | None:
    """Read a Pix that is not here, and tell the operator what came of it."""
    try:
        found = rereading.read_again(end_to_end_id)
    except ServiceError as error:
        messages.error(request, _("The Pix was not read: %(why)s") % {"why": error.message})
        return None
    if found is None:
        messages.warning(request, _("The bank has it, but it is of no company here."))
    return found
