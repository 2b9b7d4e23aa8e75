"""The page of switches: what is off for everybody, since when and why; each thrown with a reason, which is logged."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.models import Switch
from payments.services import switches


class Throw(forms.Form):
    """Which way, and why."""

    name = forms.ChoiceField(choices=Switch.Name)
    off = forms.TypedChoiceField(choices=[("0", "on"), ("1", "off")], coerce=lambda value: value == "1")
    reason = forms.CharField(max_length=200)


@admin.register(Switch)
class SwitchAdmin(Record):
    """All switches on one page. One operator throws them: an emergency waits for nobody."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_throw = request.user.has_perm("payments.change_switch")
        if request.method == "POST":
            if not may_throw:
                raise PermissionDenied
            self._throw(request, Throw(request.POST))
            return redirect("admin:payments_switch_changelist")
        found, labels = Switch.objects.in_bulk(), dict(Switch._meta.get_field("name").flatchoices)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Switches"),
            "opts": self.model._meta,
            "rows": [(name.value, labels[name.value], found.get(name.value)) for name in Switch.Name],
            "may_throw": may_throw,
        }
        return TemplateResponse(request, "payments_admin/switches.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The log links here."""
        return redirect("admin:payments_switch_changelist")

    def _throw(self, request: HttpRequest, form: Throw) -> None:
        if not form.is_valid():
            messages.error(request, _("Say why, for the log."))
            return
        given = form.cleaned_data
        name, off = Switch.Name(given["name"]), given["off"]
        was = switches.throw(name, off, given["reason"])
        told = f"is_off: {was} → {off}. Reason: {given['reason']}"
        self.log_change(request, Switch(name=name), told)
        said = _("%(name)s is off within two seconds.") if off else _("%(name)s is on within two seconds.")
        messages.success(request, said % {"name": name.value})
