"""`/metrics/work` and `/metrics/api` for Prometheus, which shows METRICS_TOKEN as its bearer token.

What waits and what is in doubt; and how each route of the API ends, and how long it takes.
"""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from payments.api import routes
from payments.selectors import work

TEXT = "text/plain; version=0.0.4"


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Gauges and counters in Prometheus' text format. 404 to who has no token."""
    _check_token(request)
    lines = []
    for name, value in work.read().items():
        kind = "counter" if name.endswith("_total") else "gauge"
        lines += [
            f"# HELP woovi_{name} {work.FIGURES[name]}",
            f"# TYPE woovi_{name} {kind}",
            f"woovi_{name} {value:.15g}",
        ]
    return HttpResponse("\n".join(lines) + "\n", content_type=TEXT)


@require_safe
def api(request: HttpRequest) -> HttpResponse:
    """A histogram by route, method and status, of all processes. 404 to who has no token, 503 while Redis is away."""
    _check_token(request)
    try:
        routes.flush()
        return HttpResponse(routes.exposition(), content_type=TEXT)
    except (RedisError, OSError):
        return HttpResponse("Redis does not answer\n", status=503, content_type=TEXT)


def _check_token(request: HttpRequest) -> None:
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not constant_time_compare(request.headers.get("Authorization", ""), expected):
        raise Http404
