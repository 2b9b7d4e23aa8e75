"""Ask before an action that cannot be taken back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


def confirmed(
    page: admin.ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any], action: str, question: str
) -> HttpResponse | None:
    """The page that asks, until its button was pressed; then None, and the action may go on."""
    if "confirmed" in request.POST:
        return None
    context = {
        **page.admin_site.each_context(request),
        "title": question,
        "rows": rows,
        "action": action,
        "opts": page.model._meta,
    }
    return TemplateResponse(request, "payments_admin/confirm.html", context)
