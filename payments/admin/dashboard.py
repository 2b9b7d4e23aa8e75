"""The admin's first page: money of today against last week, what succeeded, and what needs an operator now."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from payments.admin import alerts
from payments.money import format_reais
from payments.selectors import health, today
from payments.selectors.today import Flow, Period, Success


class Tile(NamedTuple):
    """A figure of today, the same of last week, and its rows."""

    words: str
    now: str
    before: str
    url: str


def show(request: HttpRequest) -> HttpResponse:
    """Django's index of models below what an operator looks for first. Each number is shown to who may see its rows."""
    day, week = today.read()
    context: dict[str, Any] = {"tiles": tiles(request, day, week), "day": day}
    if request.user.has_perm("payments.view_ledgercheck"):
        found = health.read()
        context |= {"found": found, "alerts": alerts.alerts(found), "systems": alerts.systems(found)}
    return admin.site.index(request, context)


def tiles(request: HttpRequest, day: Period, week: Period) -> list[Tile]:
    """What this operator may see of the day."""

    def rows(model: str, at: str, **filters: str) -> str:
        return reverse(
            f"admin:payments_{model}_changelist", query={f"{at}_from": day.start.date().isoformat(), **filters}
        )

    all_tiles = [
        ("receivedpix", _flow(_("Money in"), day.received, week.received, rows("receivedpix", "paid_at"))),
        ("payment", _flow(_("Payments out"), day.paid, week.paid, rows("payment", "resolved_at", status__exact="CONFIRMED"))),
        ("refund", _flow(_("Returned"), day.returned, week.returned, rows("refund", "resolved_at", status__exact="CONFIRMED"))),
        ("charge", _success(_("Charges paid"), day.charges, week.charges, rows("charge", "created_at"))),
        ("payment", _success(_("Payments that succeeded"), day.payments, week.payments, rows("payment", "resolved_at"))),
        (
            "webhookdelivery",
            _success(_("Webhooks delivered"), day.webhooks, week.webhooks, rows("webhookdelivery", "created_at")),
        ),
    ]  # fmt: skip
    return [tile for model, tile in all_tiles if request.user.has_perm(f"payments.view_{model}")]


def _flow(words: str, now: Flow, before: Flow, url: str) -> Tile:
    return Tile(
        words, f"{format_reais(now.value)} ({now.count})", f"{format_reais(before.value)} ({before.count})", url
    )


def _success(words: str, now: Success, before: Success, url: str) -> Tile:
    return Tile(words, _share(now), _share(before), url)


def _share(of: Success) -> str:
    """`98.5 % (197 / 200)`, or a dash where nothing has ended."""
    return "-" if of.percent is None else f"{number_format(of.percent, 1)} % ({of.good} / {of.all})"
