"""Applications: credentials of companies' programs, what they may do, and from where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from payments import scopes
from payments.admin.confirm import confirmed, on_each
from payments.admin.records import Page
from payments.models import Application
from payments.refusals import translated
from payments.services import applications, companies
from payments.services.errors import Invalid


class ApplicationForm(forms.ModelForm):  # type: ignore[type-arg]
    """Scopes as boxes, addresses one a line."""

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(name, [(scope, scope) for scope in group]) for name, group in scopes.GROUPS.items()],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None: every route."),
    )
    allowed_ips = forms.CharField(
        label=_("Allowed addresses"),
        widget=forms.Textarea(attrs={"rows": 4}),
        required=False,
        help_text=_("Addresses and networks (203.0.113.0/24), one a line. None: from anywhere."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["allowed_ips"] = "\n".join(self.instance.allowed_ips)

    def clean_allowed_ips(self) -> str:
        """As it is stored, so that the log tells what changed and not how it was typed."""
        try:
            return "\n".join(applications.checked_networks(self.cleaned_data["allowed_ips"].split()))
        except Invalid as refusal:
            raise forms.ValidationError(translated(refusal)) from refusal


@admin.register(Application)
class ApplicationAdmin(Page):
    """Credentials are issued, given another secret and revoked. Scopes and addresses may change."""

    form = ApplicationForm
    list_display = ("client_id", "name", "company", "type", "is_active", "created_at")
    list_filter = ("is_active", "type")
    list_select_related = ("company",)
    search_fields = ("client_id__exact", "name", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("Client id, name, or the company's id or tax id")
    autocomplete_fields = ("company",)
    actions = ("rotate", "revoke")

    def get_fields(self, request: HttpRequest, obj: Application | None = None) -> Any:
        rights = ("type", "scopes", "allowed_ips")
        return (
            ("company", "name", "client_id", *rights, "is_active", "created_at")
            if obj
            else ("company", "name", *rights)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Application | None = None) -> Any:
        return ("company", "name", "client_id", "type", "is_active", "created_at") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        given = form.cleaned_data
        networks = given["allowed_ips"].split()
        if change:
            applications.change(obj, wanted=given["scopes"], allowed_ips=networks)
            return
        rights = {"scopes": applications.checked_scopes(given["scopes"]), "allowed_ips": networks}
        made, app_id = companies.issue_application(obj.company, obj.name, type=given["type"], **rights)
        obj.pk, obj.client_id = made.pk, made.client_id
        request.issued_app_id = app_id  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Model, post_url_continue: str | None = None) -> HttpResponse:
        return self._once(request, obj, request.issued_app_id)  # type: ignore[attr-defined]

    def _once(self, request: HttpRequest, application: Model, app_id: str) -> HttpResponse:
        """Show the AppID this once. A redirect would have to store it somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": "AppID",
            "application": application,
            "app_id": app_id,
            "opts": self.model._meta,
        }
        return TemplateResponse(
            request, "payments_admin/app_id.html", context, headers={"Cache-Control": "no-store, private"}
        )

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_application")

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Application]) -> HttpResponse | None:
        question = str(_("Revoke these applications? Programs that use them are refused at once."))
        if page := confirmed(self, request, rows, "revoke", question):
            return page
        on_each(self, request, rows, revoke)
        return None

    @admin.action(description=_("Change the secret"), permissions=["add"])  # whoever sees an AppID may act for it
    def rotate(self, request: HttpRequest, rows: QuerySet[Application]) -> HttpResponse | None:
        if len(rows) != 1:
            messages.error(request, _("Choose one application: its new AppID is shown once."))
            return None
        question = str(_("Change the secret? Programs that use the present AppID are refused at once."))
        if page := confirmed(self, request, rows, "rotate", question):
            return page
        app_id = companies.rotate_secret(rows[0])
        self.log_change(request, rows[0], "The secret was changed.")
        return self._once(request, rows[0], app_id)


def revoke(application: Application) -> str:
    """Revoke it. Returns a text for the log."""
    was = application.is_active
    companies.revoke_application(application)
    return f"Revoked. is_active: {was} → False"
