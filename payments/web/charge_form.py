"""The form of a new charge, also with parts of it for sub-accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.models import Charge, Company, Subaccount
from payments.money import format_reais, parse_reais
from payments.selectors import subaccounts
from payments.web.forms import ReaisField, Text

PARTS = 3  # rows of the form; programs may ask for more by the API
CHOICES = 200  # sub-accounts to choose from, the newest
_PERCENT = re.compile(r"(\d{1,3})(?:,(\d{1,2}))?\s*%", re.ASCII)
WHOLE = 10_000  # hundredths of a percent


@dataclass(frozen=True)
class Part:
    """A part of a charge: so many centavos, or hundredths of a percent of its value."""

    centavos: int = 0
    share: int = 0

    def of(self, value: int) -> int:
        """Centavos of a charge of `value` centavos, half up."""
        return self.centavos or (value * self.share + WHOLE // 2) // WHOLE


class PartField(Text):
    """`12,34` reais, or `10 %` or `2,5 %` of the value; a Part once cleaned, or None."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"placeholder": _("12,34 or 10 %"), "autocomplete": "off"}
        super().__init__(max_length=20, required=False, widget=forms.TextInput(attrs), **kwargs)

    def clean(self, value: Any) -> Part | None:
        text = super().clean(value)
        if not text:
            return None
        if match := _PERCENT.fullmatch(text):
            share = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
            if not 0 < share <= WHOLE:
                raise forms.ValidationError(_("Type more than 0 % and at most 100 %."))
            return Part(share=share)
        try:
            centavos = parse_reais(text)
        except ValueError:
            raise forms.ValidationError(_("Type the part as 12,34 or as 10 %.")) from None
        if centavos <= 0:
            raise forms.ValidationError(_("The part must be more than zero."))
        return Part(centavos)


class SubaccountField(forms.TypedChoiceField):
    """One of these sub-accounts, or None."""

    def __init__(self, some: list[Subaccount], none: Any, **kwargs: Any) -> None:
        choices = [("", none), *((one.pk, str(one)) for one in some)]
        by_id = {str(one.pk): one for one in some}
        super().__init__(choices=choices, coerce=by_id.__getitem__, empty_value=None, required=False, **kwargs)


class ChargeForm(forms.Form):
    """A new charge. All of it but the fee may go to a sub-account of the company, or parts of it to some."""

    EXPIRIES = [
        (900, _("15 minutes")),
        (3_600, _("1 hour")),
        (86_400, _("1 day")),
        (604_800, _("7 days")),
        (2_592_000, _("30 days")),
    ]

    value = ReaisField(label=_("Value"))
    comment = Text(label=_("Message to the payer"), max_length=140, required=False)
    customer_name = Text(label=_("Name"), max_length=100, required=False)
    customer_tax_id = Text(label=_("CPF or CNPJ"), max_length=40, required=False)
    expires_in = forms.TypedChoiceField(label=_("Expires in"), choices=EXPIRIES, coerce=int, initial=86_400)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if company.charge_expires_in in dict(self.EXPIRIES):  # operators may have chosen another
            self.fields["expires_in"].initial = company.charge_expires_in
        self.subaccounts = list(subaccounts.listing(company)[:CHOICES])
        self.fields["subaccount"] = SubaccountField(self.subaccounts, _("Your balance"), label=_("Goes to"))
        for number in range(PARTS):
            self.fields[f"to_{number}"] = SubaccountField(self.subaccounts, _("Nobody"), label=_("Sub-account"))
            self.fields[f"part_{number}"] = PartField(label=_("Part"))

    def rows(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The fields of each part."""
        return [(self[f"to_{number}"], self[f"part_{number}"]) for number in range(PARTS)]

    def has_parts(self) -> bool:
        """Whether anything was typed into them."""
        return any(field.value() or field.errors for row in self.rows() for field in row)

    def clean_customer_tax_id(self) -> str:
        """The tax id without punctuation. The service checks its digits."""
        return re.sub(r"[.\-/\s]", "", self.cleaned_data["customer_tax_id"]).upper()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("customer_tax_id") and not data.get("customer_name"):
            self.add_error("customer_name", _("A customer with a CPF or CNPJ needs a name."))
        found = (self._part(data, number) for number in range(PARTS))
        data["parts"] = [part for part in found if part]
        if data["parts"] and data.get("subaccount"):
            self.add_error("subaccount", _("Either one sub-account gets everything, or some get parts of it."))
        return data

    def _part(self, data: dict[str, Any], number: int) -> tuple[Subaccount, int] | None:
        """The sub-account and centavos of a row; None where it is empty or wrong."""
        to, part, value = data.get(f"to_{number}"), data.get(f"part_{number}"), data.get("value")
        if {f"to_{number}", f"part_{number}"} & set(self.errors) or not (to or part):
            return None
        if not to:
            self.add_error(f"to_{number}", _("Choose who gets this part."))
        elif not part:
            self.add_error(f"part_{number}", _("Type how much of it."))
        elif value and not part.of(value):
            self.add_error(f"part_{number}", _("This is less than a centavo of the value."))
        elif value:
            return to, part.of(value)
        return None


def copied(charge: Charge, company: Company) -> dict[str, Any]:
    """What the form of a charge like this one begins with. A sub-account that was closed meanwhile gets nothing."""
    customer, splits = charge.customer or {}, charge.splits or []
    found = {
        "value": format_reais(charge.value).removeprefix("R$").strip(),
        "comment": charge.comment,
        "customer_name": customer.get("name", ""),
        "customer_tax_id": customer.get("taxID", ""),
        "expires_in": charge.expires_in,
    }
    accounts = [split["account"] for split in splits]
    by_account = {one.account_id: one for one in subaccounts.listing(company).filter(account__in=accounts)}
    kept = [(by_account[split["account"]], split) for split in splits if split["account"] in by_account]
    if kept and splits[0].get("whole"):
        return found | {"subaccount": kept[0][0].pk}
    for number, (to, split) in enumerate(kept[:PARTS]):
        found |= {f"to_{number}": to.pk, f"part_{number}": format_reais(split["value"]).removeprefix("R$").strip()}
    return found
