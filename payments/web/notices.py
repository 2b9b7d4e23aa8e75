"""The bell: what happened while somebody was away. Each person has read them until some moment."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_safe

from payments.selectors import notices as select
from payments.web.access import MerchantRequest, merchant

PAGES = {
    "payment_failed": "payment",
    "payment_waits": "payment",
    "batch_done": "batch",
    "batch_partly": "batch",
    "batch_waits": "batch",
    "webhook_failing": "webhook",
}


class Row(NamedTuple):
    """A notice as it is shown."""

    notice: select.Notice
    path: str
    is_new: bool


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The newest notices. A POST marks those as read that its page has shown: `until` is the time of the newest."""
    if request.method == "POST":
        until = _moment(request.POST.get("until", ""))
        if until:
            select.read(request.user, until)
        return redirect("web:notices")
    only = request.GET.get("only") == "trouble"
    since = request.user.notices_read_at or request.user.date_joined
    rows = [Row(one, _path(one), one.at > since) for one in select.latest(request.user, only)]
    context = {"rows": rows, "trouble": only, "until": rows[0].notice.at.isoformat() if rows else ""}
    return render(request, "web/parts/notices.html" if request.htmx else "web/notices.html", context)


@require_safe
@merchant
def bell(request: MerchantRequest) -> HttpResponse:
    """The header's bell."""
    return render(request, "web/parts/bell.html", {"unread": select.unread(request.user)})


def _path(notice: select.Notice) -> str:
    """The page of what happened."""
    if notice.charge:
        return reverse("web:charge", args=[notice.charge])
    if page := PAGES.get(notice.kind):
        return reverse(f"web:{page}", args=[notice.public_id])
    if notice.kind == "refund_refused":  # of a Pix without a charge: it has no receipt
        return reverse("web:statement")
    return reverse("web:receipt", args=["pix" if notice.kind == "received" else "refund", notice.public_id])


def _moment(text: str) -> datetime | None:
    """The time that the page sent; None where it is none."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return min(found, timezone.now()) if found and timezone.is_aware(found) else None
