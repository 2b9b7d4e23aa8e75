"""The pages of AppIDs: a new one, what it may do and from where, another secret, its end.

Whoever has an AppID may do what it may, also send money. So a code of the second factor is asked for wherever one is shown
or may do more; and one that may send waits for another person, where there is one who may approve payments.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from payments import scopes
from payments.models import Application
from payments.refusals import translated
from payments.rights import APPROVE, MANAGE
from payments.services import applications, companies, second_factor
from payments.services.errors import Invalid
from payments.web.access import MerchantRequest, merchant, needs, require
from payments.web.forms import Text
from payments.web.second_factor import code_form, proves
from payments.web.sessions import CodeForm


class RightsForm(CodeForm):
    """What an application may do, and from where. To tick nothing is no way to allow everything: that is said."""

    reach = forms.ChoiceField(
        label=_("What it may do"),
        choices=[("all", _("Everything the API can do")), ("some", _("Only what is ticked"))],
        widget=forms.RadioSelect,
    )
    scopes = forms.MultipleChoiceField(choices=[(scope, scope) for scope in scopes.ALL], required=False)
    allowed_ips = forms.CharField(
        label=_("Allowed addresses"),
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "placeholder": "203.0.113.0/24"}),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus")

    def clean_allowed_ips(self) -> list[str]:
        """As they are compared."""
        try:
            return applications.checked_networks(self.cleaned_data["allowed_ips"].split())
        except Invalid as refusal:
            raise forms.ValidationError(translated(refusal)) from refusal

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("reach") == "all":
            data["scopes"] = []
        elif data.get("scopes"):
            data["scopes"] = applications.checked_scopes(data["scopes"])
        elif "scopes" not in self.errors:
            self.add_error("scopes", _("Tick at least one."))
        return data

    def groups(self) -> list[tuple[str, list[tuple[str, bool]]]]:
        """The scopes by their groups, each with whether it is ticked."""
        ticked = self["scopes"].value() or []
        return [(name, [(scope, scope in ticked) for scope in group]) for name, group in scopes.GROUPS.items()]


class NewForm(RightsForm):
    """The same, with a name."""

    name = Text(label=_("Name"), max_length=100)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
@sensitive_post_parameters("code")
def new(request: MerchantRequest) -> HttpResponse:
    """The form of a new AppID; the answer shows it, once."""
    form = NewForm(request.POST if request.method == "POST" else None, initial={"reach": "some"})
    if form.is_valid() and proves(request, form):
        data = form.cleaned_data
        made, app_id = companies.issue_application(
            request.company,
            data["name"],
            scopes=data["scopes"],
            allowed_ips=data["allowed_ips"],
            asked_by=applications.asker(request.user, data["scopes"]),
        )
        return _once(request, made, app_id)
    context = {"form": form, "has_second_factor": second_factor.is_on(request.user)}
    return render(request, "web/application_new.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@sensitive_post_parameters("code")
def show(request: MerchantRequest, client_id: str) -> HttpResponse:
    """One AppID; who manages it changes here what it may do, and from where."""
    found = _find(request, client_id)
    form = None
    if MANAGE in request.rights and _is_changeable(found):
        told = {
            "reach": "some" if found.scopes else "all",
            "scopes": found.scopes,
            "allowed_ips": "\n".join(found.allowed_ips),
        }
        form = RightsForm(request.POST if request.method == "POST" else None, initial=told)
    if request.method == "POST":
        require(request, MANAGE)
        if form is None:
            return _refused(request, found)
        if form.is_valid() and proves(request, form):
            data = form.cleaned_data
            applications.change(found, wanted=data["scopes"], allowed_ips=data["allowed_ips"], person=request.user)
            messages.success(request, _("It is changed, and counts from now on."))
            return redirect("web:application", client_id)
    context = {
        "application": found,
        "form": form,
        "has_second_factor": second_factor.is_on(request.user),
        "may_approve": APPROVE in request.rights and found.asked_by_id != request.user.pk,
    }
    return render(request, "web/application.html", context, status=422 if form and form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
@sensitive_post_parameters("code")
def rotate(request: MerchantRequest, client_id: str) -> HttpResponse:
    """Ask whether to give it another secret; a POST with a code does, and shows the new AppID, once."""
    found = _find(request, client_id)
    if not _is_changeable(found):
        return _refused(request, found)
    form = code_form(request.POST if request.method == "POST" else None)
    if form.is_valid() and proves(request, form):
        return _once(request, found, applications.rotated_by(request.user, found))
    context = {"application": found, "form": form, "has_second_factor": second_factor.is_on(request.user)}
    return render(request, "web/application_rotate.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(APPROVE)
@sensitive_post_parameters("code")
def approve(request: MerchantRequest, client_id: str) -> HttpResponse:
    """Ask whether it may send money; a POST with a code, of another person than who asked for it, lets it."""
    found = _find(request, client_id)
    form = code_form(request.POST if request.method == "POST" else None)
    if form.is_valid() and proves(request, form):
        try:
            applications.approve(found, request.user, request.POST.get("scopes", "").split())
            messages.success(request, _("It may send money from now on."))
        except Invalid as refusal:
            messages.error(request, translated(refusal))
        return redirect("web:application", client_id)
    context = {"application": found, "form": form, "has_second_factor": second_factor.is_on(request.user)}
    return render(request, "web/application_approve.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
def disable(request: MerchantRequest, client_id: str) -> HttpResponse:
    """Ask whether to refuse it for good; a POST does."""
    found = _find(request, client_id)
    if not _is_changeable(found):
        return _refused(request, found)
    if request.method == "POST":
        applications.delete(request.company, client_id)
        messages.success(
            request, _("%(name)s is switched off: its AppID is refused from now on.") % {"name": found.name}
        )
        return redirect("web:developers")
    return render(request, "web/application_disable.html", {"application": found})


def _once(request: MerchantRequest, application: Application, app_id: str) -> HttpResponse:
    """The AppID, in the answer that made it. A redirect would have to store it somewhere."""
    return render(request, "web/application_made.html", {"application": application, "app_id": app_id})


def _is_changeable(application: Application) -> bool:
    return application.is_active and application.type != Application.Type.MASTER


def _refused(request: MerchantRequest, application: Application) -> HttpResponse:
    if application.is_active:
        messages.error(request, _("Only operators change an AppID of type MASTER."))
    else:
        messages.error(request, _("This AppID is switched off for good."))
    return redirect("web:application", application.client_id)


def _find(request: MerchantRequest, client_id: str) -> Application:
    return get_object_or_404(request.company.applications, client_id=client_id)
