"""Merchants' forms. Each error is shown at its field and says what would be right."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.money import format_reais, parse_reais

HIGHEST = 99_999_999_99  # centavos: what a BR Code's 13 characters and a mistyped zero leave room for


class Text(forms.CharField):
    """Text of at most `max_length` characters, without the attribute `maxlength`.

    With it a browser would silently cut a pasted text. Here a longer text stays in the form and is refused.
    """

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        attrs = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs


class ReaisField(Text):
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


class ChargeFilter(forms.Form):
    """Which charges: created on these days, of such a value."""

    first = forms.DateField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    last = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    least = ReaisField(label=_("Lowest value"), required=False)
    most = ReaisField(label=_("Highest value"), required=False)


class RefundForm(forms.Form):
    """How much to return, and why.

    Args:
        left: centavos of the charge that are not returned yet.
        most: centavos that can be returned now.

    The second page sends `confirmed` and the value that it showed.
    """

    part = forms.ChoiceField(label=_("How much"), widget=forms.RadioSelect, initial="whole")
    comment = Text(label=_("Reason (the payer sees it)"), max_length=140, required=False)
    correlation_id = forms.UUIDField(widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, left: int, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.most = most
        whole = _("Everything that is left") if most == left else _("All that your balance has")
        self.fields["part"].choices = [("whole", whole), ("part", _("A part"))]  # type: ignore[attr-defined]
        self.fields["value"] = ReaisField(label=_("Value of the part"), highest=most, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("part") == "whole" and not data.get("confirmed"):
            data["value"] = self.most
            self.errors.pop("value", None)
        elif "value" not in self.errors and not data.get("value"):
            self.add_error("value", _("Type a value."))
        return data
