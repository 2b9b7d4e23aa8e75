"""Companies."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.freezing import Freezing
from payments.admin.proposals import CENTAVOS, NAMES, in_words, propose
from payments.admin.records import Page, link, rows_link
from payments.models import Account, Charge, Company, Proposal
from payments.pix import keys
from payments.services import companies
from payments.services.acts import FEES_AND_LIMITS
from payments.services.errors import Invalid


class CompanyForm(forms.ModelForm):  # type: ignore[type-arg]
    """Tax id and Pix key as people type them; and a reason, which a change of fees or limits needs."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        required=False,
        help_text=_("For other fees and limits, which another operator approves."),
    )

    def clean_tax_id(self) -> str:
        return self._read("tax_id", keys.parse_tax_id)

    def clean_pix_key(self) -> str:
        key = self._read("pix_key", keys.parse)
        if companies.by_key(key):
            raise forms.ValidationError(_("Another company has this Pix key."))
        return key

    def clean(self) -> dict[str, Any]:
        """Have the service check the terms here, so that its refusal is shown at the field."""
        data = super().clean() or {}
        terms = {field: data[field] for field in companies.TERMS if field in data}
        if self.instance.pk and len(terms) == len(companies.TERMS):
            try:
                companies.check_terms(**terms)
            except Invalid as refusal:
                lowest, highest = companies.TERMS[refusal.field]
                outside = not lowest <= (terms[refusal.field] or 0) <= highest
                bounds = _("From %(lowest)s to %(highest)s.") % {"lowest": lowest, "highest": highest}
                self.add_error(refusal.field, bounds if outside else _("The minimum is above the maximum."))
        if self.instance.pk and set(self.changed_data) & set(FEES_AND_LIMITS) and not data.get("reason"):
            self.add_error("reason", _("Other fees and limits need a reason."))
        return data

    def _read(self, field: str, parse: Any) -> str:
        try:
            return str(parse(self.cleaned_data[field]))
        except keys.InvalidKey as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Company)
class CompanyAdmin(Freezing, Page):
    """A company is onboarded here with its accounts. Its names and expiry may change, its fees and limits with four eyes, its
    identity never."""

    form = CompanyForm
    list_display = ("public_id", "trade_name", "tax_id", "pix_key", "frozen", "created_at")
    list_filter = ("payments_frozen", "refunds_frozen", "charges_frozen")
    actions = ("freeze", "release")
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
        if db_field.name in CENTAVOS:
            kwargs["help_text"] = _("In centavos: 150 is R$ 1,50. An empty limit is none.")
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
            "reason",
            "proposed",
            "frozen",
            "created_at",
            "accounts",
            "charges",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Company | None = None) -> Any:
        names, links = ("public_id", "correlation_id", "tax_id", "pix_key"), ("accounts", "charges")
        return (*names, "proposed", "frozen", "created_at", *links) if obj else ()

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        if change:
            given, alone = form.cleaned_data, (*companies.NAMES, "charge_expires_in")
            fees = {field: given[field] for field in FEES_AND_LIMITS if field in form.changed_data}
            companies.update_terms(obj, **{field: given[field] for field in alone})
            obj.only_proposed = bool(fees) and not set(form.changed_data) & set(alone)  # type: ignore[attr-defined]
            if fees:
                propose(self, request, Company.objects.get(pk=obj.pk), "change_terms", given["reason"], fees)
        else:
            made = companies.onboard(**{field: form.cleaned_data[field] for field in self.onboarding})
            obj.pk, obj.public_id = made.pk, made.public_id

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What was changed: other fees and limits are only proposed, which has an entry of its own."""
        if not add:
            form.changed_data[:] = [name for name in form.changed_data if name not in (*FEES_AND_LIMITS, "reason")]
        return super().construct_change_message(request, form, formsets, add)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if message else None

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Django's sentence that it was changed is left out where fees and limits were only proposed."""
        if not obj.only_proposed:
            return super().response_change(request, obj)
        return redirect(request.path) if "_continue" in request.POST else self.response_post_save_change(request, obj)

    @admin.display(description=_("Waits for a second operator"))
    def proposed(self, company: Company) -> SafeString | str:
        """What is only proposed, so that nobody takes it for what is in force or proposes it again."""
        waits = Proposal.objects.filter(company=company, status__in=Proposal.OPEN)[:10]
        lines = ((link(one, f"{NAMES[one.act]}: {'; '.join(in_words(one))}"),) for one in waits)
        return format_html_join("", "<div>{}</div>", lines) or "-"

    @admin.display(description=_("Accounts"))
    def accounts(self, company: Company) -> SafeString:
        return rows_link(Account, _("Accounts"), q=company.public_id)

    @admin.display(description=_("Charges"))
    def charges(self, company: Company) -> SafeString:
        return rows_link(Charge, _("Charges"), q=company.public_id)
