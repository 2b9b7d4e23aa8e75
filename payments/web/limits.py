"""The page of a company's limits: what it may send by day and night, what its programs may ask, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from payments.models import Company
from payments.models.transfer_period import DAY_STARTS, NIGHT_STARTS
from payments.services import transfer_limits
from payments.web.access import MerchantRequest, merchant
from woovi.ratelimit import take
from woovi.ratelimit.store import current

RATES: list[tuple[str, str | Promise]] = [
    ("api.company", _("Requests")),
    ("api.lookups", _("Look-ups by id (one that finds nothing costs 20)")),
    ("api.rows", _("Rows of lists")),
    ("pix.keys", _("Look-ups of Pix keys (one that finds nothing costs 20)")),
]


class Sending(NamedTuple):
    """A limit of what is sent, in centavos. `left` is None where there is no limit."""

    name: str | Promise
    most: int | None
    used: int
    left: int | None


class Rate(NamedTuple):
    """A limit of the API: so many `per` a minute, `most` at once, `left` now."""

    name: str | Promise
    per: int
    most: int
    left: int


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The page, or its part for htmx."""
    now, company = timezone.now(), request.company
    began, field = transfer_limits.period(now)
    used = transfer_limits.used(company.pk, now)
    night = field == transfer_limits.NIGHT
    most: int | None = getattr(company, field)
    context = {
        "sending": Sending(
            _("Tonight") if night else _("Today"), most, used, None if most is None else max(most - used, 0)
        ),
        "until": began
        + timedelta(hours=(DAY_STARTS.hour - NIGHT_STARTS.hour) % 24 if night else NIGHT_STARTS.hour - DAY_STARTS.hour),
        "rates": _rates(company),
        "percent": Decimal(company.fee_basis_points) / 100,
        "day_starts": DAY_STARTS,
        "night_starts": NIGHT_STARTS,
    }
    return render(request, "web/parts/limits.html" if request.htmx else "web/limits.html", context)


def _rates(company: Company) -> list[Rate]:
    """Those of the company's plan, with what is left now. A cost of 0 only looks."""
    limits, who = current(), {"company": str(company.pk), "taxid": company.tax_id}
    found = []
    for name, words in RATES:
        for ask in limits.asks([name], who, cost=0):
            policy = ask.policy
            found.append(
                Rate(words, int(policy.limit * 60 // policy.per), policy.burst or policy.limit, take(ask).remaining)
            )
    return found
