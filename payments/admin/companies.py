"""Companies."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Page, rows_link
from payments.models import Account, Charge, Company
from payments.pix import keys
from payments.services import companies
from payments.services.errors import Invalid


class CompanyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Tax id and Pix key as people type them."""

    def clean_tax_id(self) -> str:
        return self._read("tax_id", keys.parse_tax_id)

    def clean_pix_key(self) -> str:
        return self._read("pix_key", keys.parse)

    def clean(self) -> dict[str, Any]:
        """Have the service check the terms here, so that its refusal is shown at the field."""
        data = super().clean() or {}
        terms = {field: data[field] for field in companies.TERMS if field in data}
        if self.instance.pk and len(terms) == len(companies.TERMS):
            try:
                companies.check_terms(**terms)
            except Invalid as refusal:
                self.add_error(refusal.field, refusal.message)
        return data

    def _read(self, field: str, parse: Any) -> str:
        try:
            return str(parse(self.cleaned_data[field]))
        except keys.InvalidKey as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Company)
class CompanyAdmin(Page):
    """A company is onboarded here with its accounts. Its names, fees and expiry may change, its identity may not."""

    form = CompanyForm
    list_display = ("public_id", "trade_name", "tax_id", "pix_key", "created_at")
    search_fields = (
        "trade_name",
        "official_name",
        "public_id__exact",
        "correlation_id__exact",
        "tax_id__exact",
        "pix_key__exact",
    )
    search_help_text = _("Name, company id, correlation id, tax id or Pix key")
    onboarding = ("official_name", "trade_name", "tax_id", "pix_key")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """What is typed may have punctuation, for which the columns have no room."""
        if db_field.name in {"tax_id", "pix_key"}:
            kwargs["max_length"] = 100
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Company | None = None) -> Any:
        if obj is None:
            return self.onboarding
        return (
            "public_id",
            "correlation_id",
            *self.onboarding,
            "city",
            *companies.TERMS,
            "created_at",
            "accounts",
            "charges",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Company | None = None) -> Any:
        fixed = ("public_id", "correlation_id", "tax_id", "pix_key", "created_at", "accounts", "charges")
        return fixed if obj else ()

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        if change:
            companies.update_terms(obj, **{f: form.cleaned_data[f] for f in (*companies.NAMES, *companies.TERMS)})
        else:
            made = companies.onboard(**{field: form.cleaned_data[field] for field in self.onboarding})
            obj.pk, obj.public_id = made.pk, made.public_id

    @admin.display(description=_("Accounts"))
    def accounts(self, company: Company) -> SafeString:
        return rows_link(Account, _("Accounts"), q=company.public_id)

    @admin.display(description=_("Charges"))
    def charges(self, company: Company) -> SafeString:
        return rows_link(Charge, _("Charges"), q=company.public_id)
