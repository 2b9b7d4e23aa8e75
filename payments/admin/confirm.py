"""Ask before an action that cannot be taken back, then do it row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from payments.refusals import translated
from payments.services.errors import ServiceError


def confirmed(
    page: admin.ModelAdmin[Any],
    request: HttpRequest,
    rows: QuerySet[Any],
    action: str,
    question: Any,
    figures: Callable[[Any], tuple[str, str]] = lambda row: ("", ""),
) -> HttpResponse | None:
    """A page that asks for confirmation, or None once it was given.

    Args:
        figures: what is shown of a row, and how it is posted back, as `shown_` and the row's key.
    """
    if "confirmed" in request.POST:
        return None
    context = {
        **page.admin_site.each_context(request),
        "title": question,
        "rows": [(row, *figures(row)) for row in rows],
        "action": action,
        "back": request.get_full_path(),
        "opts": page.model._meta,
    }
    return TemplateResponse(request, "payments_admin/confirm.html", context)


def on_each(page: admin.ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any], act: Callable[[Any], str]) -> None:
    """Do `act` to each row, and log the text that it returns.

    If a service refuses a row, a message says why, and the other rows are done.
    """
    done = 0
    for row in rows:
        try:
            done_to_it = act(row)
        except ServiceError as refusal:
            messages.error(request, f"{row}: {translated(refusal)}")
        else:
            page.log_change(request, row, done_to_it)
            done += 1
    if done:
        messages.success(request, _("Done: %(done)s.") % {"done": done})
