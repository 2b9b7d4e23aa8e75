"""The page of health: what waits, Redis, the bank, and the last proof of the books, each figure a link to its rows."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from payments.admin.alerts import alerts
from payments.admin.figures import figures, queues
from payments.admin.records import Record
from payments.models import LedgerCheck
from payments.selectors import health
from woovi import outbox


def show(request: HttpRequest) -> HttpResponse:
    """The page. It is read anew at each look."""
    if not request.user.has_perm("payments.view_ledgercheck"):
        raise PermissionDenied
    found = health.read()
    context = {
        **admin.site.each_context(request),
        "title": _("Health"),
        "found": found,
        "alerts": alerts(found),
        "figures": list(figures(found)),
        "queues": list(queues(found)),
        "read_at": parse_datetime(found["at"]),
        "proven_at": parse_datetime(found["ledger"]["at"] or ""),
        "may_check": request.user.has_perm("payments.add_ledgercheck"),
    }
    answer = TemplateResponse(request, "payments_admin/health.html", context)
    answer["Cache-Control"] = "no-store, private"
    return answer


def check_ledger(request: HttpRequest) -> HttpResponse:
    """Have a worker prove the books now. Its result is on the page when it is done."""
    if request.method != "POST" or not request.user.has_perm("payments.add_ledgercheck"):
        raise PermissionDenied
    with transaction.atomic():
        outbox.write("task:check_ledger", "", {})
    messages.success(request, _("A worker checks the books. Read the page again in a moment."))
    return HttpResponseRedirect(reverse("operations:health"))


@admin.register(LedgerCheck)
class LedgerCheckAdmin(Record):
    """The checks of the ledger that were run, by night or from the page of health."""

    list_display = ("at", "passed", "failed", "seconds")
    ordering = ("-id",)
