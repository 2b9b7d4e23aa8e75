"""Ask for a reason before an action, for the log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from payments.refusals import translated
from payments.services.errors import ServiceError


class Reason(forms.Form):
    """The reason for an action."""

    reason = forms.CharField(label=_("Reason, for the log"), max_length=200)


def asked(
    page: admin.ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any], action: str, question: str,
    form_class: type[Reason] = Reason,
) -> tuple[HttpResponse | None, dict[str, Any]]:  # fmt: skip
    """A page that asks for a reason, or None and the form's data once it is filled in."""
    form = form_class(request.POST if "answered" in request.POST else None)
    if form.is_bound and form.is_valid():
        return None, form.cleaned_data
    context = {
        **page.admin_site.each_context(request),
        "title": question,
        "rows": rows,
        "action": action,
        "form": form,
        "back": request.get_full_path(),
        "opts": page.model._meta,
    }
    return TemplateResponse(request, "payments_admin/reason.html", context), {}


def refused(request: HttpRequest, row: Model, error: ServiceError) -> None:
    """Show a service's refusal, in the operator's language, in a message that names the row."""
    messages.error(request, f"{row}: {translated(error)}")
