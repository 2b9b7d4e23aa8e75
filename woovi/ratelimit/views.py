"""`/metrics/ratelimit` for Prometheus, which shows METRICS_TOKEN as its bearer token."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from redis.exceptions import RedisError

from woovi.ratelimit import seen


def metrics(request: HttpRequest) -> HttpResponse:
    """Decisions by policy and outcome, of all processes. 404 to who has no token, 503 while Redis is away."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not constant_time_compare(request.headers.get("Authorization", ""), expected):
        raise Http404
    try:
        seen.flush()
        return HttpResponse(seen.exposition(), content_type="text/plain; version=0.0.4")
    except (RedisError, OSError):
        return HttpResponse("Redis does not answer\n", status=503, content_type="text/plain")
