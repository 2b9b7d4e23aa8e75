"""What merchants type. Each error names its field and says what would be right."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.money import format_reais, parse_reais

HIGHEST = 99_999_999_99  # centavos: what a BR Code's 13 characters and a mistyped zero leave room for


class ReaisField(forms.CharField):
    """A value typed in reais, in centavos once cleaned."""

    default_error_messages = {
        "required": _("Type a value."),
        "reais": _("Type the value as 12,34 or 1.234,56."),
        "low": _("The value must be more than zero."),
        "high": _("The value may be at most %(highest)s."),
    }

    def __init__(self, *, highest: int = HIGHEST, **kwargs: Any) -> None:
        self.highest = highest
        attrs = {"inputmode": "decimal", "placeholder": "0,00", "autocomplete": "off"}
        super().__init__(max_length=20, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            centavos = parse_reais(text)
        except ValueError:
            raise forms.ValidationError(self.error_messages["reais"], "reais") from None
        if centavos <= 0:
            raise forms.ValidationError(self.error_messages["low"], "low")
        if centavos > self.highest:
            shown = {"highest": format_reais(self.highest)}
            raise forms.ValidationError(self.error_messages["high"], "high", params=shown)
        return centavos


class ChargeForm(forms.Form):
    EXPIRIES = [
        (900, _("15 minutes")),
        (3_600, _("1 hour")),
        (86_400, _("1 day")),
        (604_800, _("7 days")),
        (2_592_000, _("30 days")),
    ]

    value = ReaisField(label=_("Value"))
    comment = forms.CharField(label=_("Message to the payer"), max_length=140, required=False)
    customer_name = forms.CharField(label=_("Name"), max_length=100, required=False)
    customer_tax_id = forms.CharField(label=_("CPF or CNPJ"), max_length=18, required=False)
    expires_in = forms.TypedChoiceField(label=_("Expires in"), choices=EXPIRIES, coerce=int, initial=86_400)

    def clean_customer_tax_id(self) -> str:
        """Without punctuation. Its check digits are the service's to judge."""
        return re.sub(r"[.\-/\s]", "", self.cleaned_data["customer_tax_id"]).upper()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("customer_tax_id") and not data.get("customer_name"):
            self.add_error("customer_name", _("A customer with a CPF or CNPJ needs a name."))
        return data


class RefundForm(forms.Form):
    """Whole or part of what is left of a charge. `confirmed` comes from the second page, with the value it showed."""

    PARTS = [("whole", _("Everything that is left")), ("part", _("A part"))]

    part = forms.ChoiceField(label=_("How much"), choices=PARTS, widget=forms.RadioSelect, initial="whole")
    comment = forms.CharField(label=_("Reason (the payer sees it)"), max_length=140, required=False)
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, left: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = left
        self.fields["value"] = ReaisField(label=_("Value of the part"), highest=left, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("part") == "whole" and not data.get("confirmed"):
            data["value"] = self.left
            self.errors.pop("value", None)
        elif "value" not in self.errors and not data.get("value"):
            self.add_error("value", _("Type a value."))
        return data
