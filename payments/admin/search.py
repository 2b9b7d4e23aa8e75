"""One box on every page: anything by one of its ids or their beginning, a CPF or CNPJ, or an e-mail."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from payments.admin.acting import read_unknown
from payments.admin.records import link
from payments.pix import ids, keys
from payments.selectors import everywhere


def show(request: HttpRequest) -> HttpResponse:
    """What was found, of the models that the operator may view."""
    text = keys.pasted(request.POST.get("q", request.GET.get("q", ""))).strip()
    may_read = request.user.has_perm("payments.change_receivedpix")
    if request.method == "POST" and may_read and (read := read_unknown(request, text)):
        return redirect("admin:payments_receivedpix_change", read.pk)
    found = everywhere.find(text, _visible(request)) if text else []
    context = {
        **admin.site.each_context(request),
        "title": _("Search"),
        "q": text.replace("\0", "")[: everywhere.LONGEST],
        "found": [(group.model._meta.verbose_name_plural, [_line(row) for row in group.rows]) for group in found],
        "may_read": may_read and not found and _is_received(text),
        "shortest": everywhere.SHORTEST,
        "most": everywhere.MOST,
    }
    answer = TemplateResponse(request, "payments_admin/search.html", context)
    answer["Cache-Control"] = "no-store, private"
    return answer


def _is_received(text: str) -> bool:
    """Whether the text may be a received Pix's end-to-end id."""
    try:
        return ids.parse(text).kind == "E"
    except ids.InvalidId:
        return False


def _visible(request: HttpRequest) -> set[type[Model]]:
    return {model for model, page in admin.site._registry.items() if page.has_view_permission(request)}


def _line(row: Model) -> tuple[str, str, str]:
    """A row as the page lists it: its link, its public id where its name does not have one, and its company."""
    public_id, company = getattr(row, "public_id", ""), getattr(row, "company", None)
    return link(row, str(row) or str(row.pk)), public_id, str(company or "")
