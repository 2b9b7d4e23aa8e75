"""What a product tells the room, for tests: rules, a refusal, importance, policies."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse

from woovi.ratelimit import Policy
from woovi.ratelimit.gate import Importance

POLICIES = [
    Policy("site.address", "address", 3, 3600),
    Policy("site.network", "network", 100, 3600),
    Policy("site.company", "company", 5, 3600),
    Policy("site.closed", "address", 5, 3600, without_redis="closed"),
    Policy("socket.address", "address", 2, 3600),
    Policy("socket.network", "network", 100, 3600),
    Policy("flood.network", "network", 50, 60),
    Policy("flood.process", "process", 200, 60),
]


def rules(request: HttpRequest, who: dict[str, str]) -> tuple[str, ...]:
    if company := request.headers.get("X-Company"):
        who["company"] = company
        return ("site.company",)
    return ("site.closed",) if request.path == "/closed" else ("site.address", "site.network")


def refusal(request: HttpRequest, status: int) -> HttpResponse:
    return HttpResponse("no", status=status)


def importance(path: str, headers: Mapping[bytes, bytes]) -> Importance:
    return {b"bank": "critical", b"friend": "known"}.get(headers.get(b"x-who", b""), "")  # type: ignore[return-value]
