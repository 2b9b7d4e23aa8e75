"""Pages of the statement: every movement with its balance, its files, and receipts to print."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from payments.models import Payment, ReceivedPix, Refund
from payments.selectors import statement as select
from payments.services.statement_files import FORMATS
from payments.web.access import MerchantRequest, merchant
from payments.web.downloads import streamed

PAGE = 50  # movements
SHOWN, LONGEST = 30, 366  # days: unless asked for others, and at most
MEDIA = {"csv": "text/csv", "ofx": "application/x-ofx"}


class PeriodForm(forms.Form):
    """Which movements. What cannot be read is told at its field, and the last thirty days are shown."""

    KINDS = [
        ("", _("All movements")),
        (select.RECEIVED, _("Received")),
        (select.SENT, _("Sent")),
        (select.RETURNED, _("Returned")),
        (select.OTHER, _("Other")),
    ]

    first = forms.DateField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    last = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    kind = forms.ChoiceField(label=_("Kind"), choices=KINDS, required=False)
    q = forms.CharField(
        label=_("Name, value, key or id"), max_length=255, required=False, widget=forms.TextInput({"type": "search"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        last = data.get("last") or max(timezone.localdate(), data.get("first") or date.min)
        first = data.get("first") or last - timedelta(days=SHOWN - 1)
        if first > last:
            self.add_error("last", _("The end is before the beginning."))
        elif last - first >= timedelta(days=LONGEST):
            self.add_error("first", _("At most a year at once."))
        return {**data, "first": first, "last": last}

    def period(self) -> select.Period:
        """What was asked for, or the last days where that cannot be read."""
        if not self.is_valid():
            return select.Period(timezone.localdate() - timedelta(days=SHOWN - 1), timezone.localdate())
        data = self.cleaned_data
        return select.Period(data["first"], data["last"], data["kind"], data["q"].strip())


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The movements of a period, newest first."""
    form = PeriodForm(request.GET)
    period = form.period()
    before = request.GET.get("before", "")
    found = select.page(request.company, period, int(before) if _is_id(before) else 0, PAGE + 1)
    rows = found[:PAGE]
    behind = select.behind(request.company, rows)
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "form": form,
        "period": period,
        "rows": [(row, behind[row.id]) for row in rows],
        "older": rows[-1].id if len(found) > PAGE else "",
        "paged": bool(before),
        "query": query.urlencode(),
        "filtered": bool(period.kind or period.text),
    }
    template = "web/parts/statement.html" if request.htmx else "web/statement.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


@require_safe
@merchant
def export(request: MerchantRequest, form: str) -> HttpResponseBase:
    """The period as a file."""
    asked = PeriodForm(request.GET)
    if not asked.is_valid():
        return show(request)
    period = asked.period()
    name = f"{period.first:%Y-%m-%d}-{period.last:%Y-%m-%d}.{form}"
    return streamed(request, FORMATS[form](request.company, period), name, MEDIA[form])


@require_safe
@merchant
def receipt(request: MerchantRequest, kind: str, public_id: str) -> HttpResponse:
    """The receipt of a payment or a refund that the bank has confirmed, or of a received Pix."""
    pix = refund = payment = None
    if kind == "pix":
        pix = get_object_or_404(ReceivedPix, company=request.company, public_id=public_id)
    elif kind == "refund":
        done = Refund.objects.filter(status=Refund.Status.CONFIRMED).select_related("received")
        refund = get_object_or_404(done, company=request.company, public_id=public_id)
    else:
        confirmed = Payment.objects.filter(status=Payment.Status.CONFIRMED)
        payment = get_object_or_404(confirmed, company=request.company, public_id=public_id)
    context = {"pix": pix, "refund": refund, "payment": payment, "fact": pix or refund or payment}
    return render(request, "web/receipt.html", context)
