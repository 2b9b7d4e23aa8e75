"""The first page: what there is, and what came last."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from payments.selectors import balances
from payments.selectors import charges as select
from payments.web.access import MerchantRequest, merchant

LATEST = 8


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    context = {
        "balance": balances.balance(request.company),
        "charges": select.with_returned(select.listing(request.company))[:LATEST],
    }
    return render(request, "web/parts/dashboard.html" if request.htmx else "web/dashboard.html", context)


@require_safe
@merchant
def balance(request: MerchantRequest) -> HttpResponse:
    """The header's balance, for pages that show another thing."""
    return render(request, "web/parts/balance.html", {"balance": balances.balance(request.company)})
