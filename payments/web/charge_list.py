"""The list of charges, filtered and searched, and the same as a file."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from payments.models import Charge
from payments.selectors import charges as select
from payments.selectors import search
from payments.services import charge_files
from payments.web.access import MerchantRequest, merchant
from payments.web.downloads import streamed
from payments.web.forms import ChargeFilter

PAGE = 25  # charges


class Asked(NamedTuple):
    """Which charges a request asks for. What cannot be read is told at its field of `form`, and left out."""

    state: str
    text: str
    form: ChargeFilter
    wanted: dict[str, Any]


@require_safe
@merchant
def listing(request: MerchantRequest) -> HttpResponse:
    """The list, filtered by state, days and value, and searched by text."""
    asked = _asked(request)
    rows, older = _slice(_found(request, asked), request.GET.get("before", ""))
    context = {
        "charges": rows,
        "older": older,
        "paged": "before" in request.GET,
        "status": asked.state,
        "statuses": ["", *select.STATES],
        "q": asked.text,
        "form": asked.form,
        "sieved": any(asked.wanted.values()) or bool(asked.form.errors),
        "query": _without(request, "before"),
        "others": _without(request, "before", "status"),
        "filtered": bool(asked.state or asked.text or any(asked.wanted.values())),
    }
    template = "web/parts/charges.html" if request.htmx else "web/charges.html"
    return render(request, template, context, status=422 if asked.form.errors else 200)


@require_safe
@merchant
def export(request: MerchantRequest) -> HttpResponseBase:
    """Every charge that the list has, not only those of one page, as CSV."""
    asked = _asked(request)
    if asked.form.errors:
        return listing(request)
    lines = charge_files.as_csv(_found(request, asked))
    return streamed(request, lines, f"{timezone.localdate():%Y-%m-%d}.csv", "text/csv")


def _asked(request: MerchantRequest) -> Asked:
    state, form = request.GET.get("status", ""), ChargeFilter(request.GET)
    return Asked(
        state=state if state in select.STATES else "",
        text=request.GET.get("q", "").replace("\0", "").strip()[:255],
        form=form,
        wanted=form.cleaned_data if form.is_valid() else {},
    )


def _found(request: MerchantRequest, asked: Asked) -> QuerySet[Charge]:
    found = select.with_returned(select.listing(request.company))
    if asked.state:
        found = search.in_state(found, asked.state)
    if asked.text:
        found = search.matching(found, asked.text)
    found = search.created_on(found, asked.wanted.get("first"), asked.wanted.get("last"))
    if least := asked.wanted.get("least"):
        found = found.filter(value__gte=least)
    if most := asked.wanted.get("most"):
        found = found.filter(value__lte=most)
    return found


def _without(request: MerchantRequest, *names: str) -> str:
    """The query of the request without these parts, to be continued."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return f"{encoded}&" if (encoded := query.urlencode()) else ""


def _slice(found: QuerySet[Charge], before: str) -> tuple[list[Charge], str]:
    """The page of charges older than `before` (a public id; empty for the newest), and the next page's `before`.

    By position, not by page number, because new charges come in at the top while somebody reads.
    """
    last = found.filter(public_id=before).first() if before.isalnum() else None
    if last:
        found = found.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, id__gte=last.pk)
    rows = list(found[: PAGE + 1])
    return rows[:PAGE], rows[PAGE - 1].public_id if len(rows) > PAGE else ""
