"""`/metrics/work` for Prometheus, which shows METRICS_TOKEN as its bearer token: what waits and what is in doubt."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from payments.selectors import work


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Gauges in Prometheus' text format. 404 to who has no token."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not constant_time_compare(request.headers.get("Authorization", ""), expected):
        raise Http404
    lines = []
    for name, value in work.read().items():
        lines += [f"# HELP woovi_{name} {work.FIGURES[name]}", f"# TYPE woovi_{name} gauge", f"woovi_{name} {value:g}"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")
