"""The first page: the balance, how the day goes, and the latest charges."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from payments.selectors import balances, overview
from payments.selectors import charges as select
from payments.web import chart
from payments.web.access import MerchantRequest, merchant

LATEST = 8  # charges


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The page, or its changing part for htmx."""
    day = overview.read(request.company)
    context = {
        "balance": balances.balance(request.company),
        "day": day,
        "hours": chart.draw([(f"{hour}h", value) for hour, value in enumerate(day.hours)]),
        "days": chart.draw([(date_format(date, _("j M")), value) for date, value in day.days]),
        "charges": select.with_returned(select.listing(request.company))[:LATEST],
    }
    return render(request, "web/parts/dashboard.html" if request.htmx else "web/dashboard.html", context)


@require_safe
@merchant
def balance(request: MerchantRequest) -> HttpResponse:
    """The header's balance, for pages other than the first."""
    return render(request, "web/parts/balance.html", {"balance": balances.balance(request.company)})
