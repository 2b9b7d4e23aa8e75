"""Django's side: who asks, the rules of the request, the decision, the headers; and `@rate_limit` for single views.

MIDDLEWARE = ["woovi.ratelimit.middleware.rate_limits", ...]
RATE_LIMIT_RULES = "shop.limits.rules"        # rules(request, who) -> names of policies, or (name, cost); may add to `who`
RATE_LIMIT_REFUSAL = "shop.limits.refusal"    # refusal(request, status) -> the response to a refused request
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

from woovi.ratelimit import address, device, limiter, prepaid, store
from woovi.ratelimit.headers import headers
from woovi.ratelimit.policy import Ask, Decision, RateLimited
from woovi.ratelimit.store import Limits, Rule

View = Callable[..., Any]
FORBIDDEN, TOO_MANY, UNAVAILABLE = 403, 429, 503


def who(request: HttpRequest) -> dict[str, str]:
    """Values of the subjects that a request is counted by: {"address": "203.0.113.7", "network": "203.0.113.0/24"}.

    Without both where the address is on the allow list. Views and rules add what they know ("company": "7").
    """
    known: dict[str, str] | None = getattr(request, "limit_who", None)
    return known if known is not None else _who(request, store.current())


def client_address(request: HttpRequest) -> address.IP | None:
    """Who sent the request, behind the proxies of the settings. None where that cannot be told."""
    who(request)
    found: address.IP | None = request.limit_address  # type: ignore[attr-defined]
    return found


def _who(request: HttpRequest, limits: Limits) -> dict[str, str]:
    meta = request.META
    found = address.client(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), address.trusted())
    known = {} if found is None or found in limits.allow else dict(address.counted(found))
    request.limit_who, request.limit_address = known, found  # type: ignore[attr-defined]
    return known


@sync_and_async_middleware
def rate_limits(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Decide before the view. Django calls the twin that fits the middleware around it."""
    rules: Callable[[HttpRequest, dict[str, str]], Sequence[Rule]] = import_string(settings.RATE_LIMIT_RULES)

    def charged(request: HttpRequest, limits: Limits) -> tuple[Ask, ...] | None:
        """What the request is charged for; None where it is on the deny list."""
        known = _who(request, limits)
        names = rules(request, known)
        if limits.denies(request.limit_address, known):  # type: ignore[attr-defined]
            return None
        return limits.asks(names, known)

    def answer(request: HttpRequest) -> HttpResponseBase:
        wanted = charged(request, store.current())
        if wanted is None:
            return _refusal(request, FORBIDDEN)
        if wanted and not _charged(request, limiter.take(*wanted)).allowed:
            return _refused(request)
        return _finished(request, get_response(request))

    async def aanswer(request: HttpRequest) -> HttpResponseBase:
        wanted = charged(request, await store.acurrent())
        if wanted is None:
            return _refusal(request, FORBIDDEN)
        if wanted and not _charged(request, await limiter.atake(*wanted)).allowed:
            return _refused(request)
        return _finished(request, await get_response(request))

    chosen: Any = markcoroutinefunction(aanswer) if iscoroutinefunction(get_response) else answer
    chosen.process_exception = _refused_by_view
    return chosen  # type: ignore[no-any-return]


def rate_limit(*names: str, cost: int = 1) -> Callable[[View], View]:
    """A view, sync or async, that is charged for these policies as well. What its request is counted by: `who`."""

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                wanted = (await store.acurrent()).asks(names, who(request), cost)
                _insist(_noted(request, await limiter.atake(*wanted)))
                return await view(request, *args, **kwargs)
        else:

            @wraps(view)
            def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                charge(request, *names, cost=cost)
                return view(request, *args, **kwargs)

        return limited

    return decorate


def asks(request: HttpRequest, *names: str, cost: int = 1, **subjects: str) -> tuple[Ask, ...]:
    """What to take for these policies, counted by the request's subjects and the given ones (company="7")."""
    return store.current().asks(names, {**who(request), **subjects}, cost)


def charge(request: HttpRequest, *names: str, cost: int = 1, **subjects: str) -> Decision:
    """Charge a request for these policies too. Raises RateLimited, which the middleware answers."""
    return _insist(_noted(request, limiter.take(*asks(request, *names, cost=cost, **subjects))))


def _charged(request: HttpRequest, decision: Decision) -> Decision:
    """For the view, which settles what it was charged in advance."""
    if decision.allowed:
        prepaid.note(request, decision)
    return _noted(request, decision)


def _insist(decision: Decision) -> Decision:
    if not decision.allowed:
        raise RateLimited(decision)
    return decision


def _noted(request: HttpRequest, decision: Decision) -> Decision:
    """For the headers."""
    decisions: list[Decision] = request.__dict__.setdefault("limit_decisions", [])
    decisions.append(decision)
    return decision


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    prepaid.give_back(request)
    for name, value in headers(request.__dict__.get("limit_decisions", ())).items():
        response.headers.setdefault(name, value)
    device.remember(request, response)
    return response


def _refused_by_view(request: HttpRequest, error: Exception) -> HttpResponseBase | None:
    """Django's process_exception: a view, or what it called, found a limit reached."""
    if not isinstance(error, RateLimited):
        return None
    if error.decision not in request.__dict__.get("limit_decisions", ()):
        _noted(request, error.decision)
    return _refusal(request, UNAVAILABLE if error.decision.closed else TOO_MANY)


def _refused(request: HttpRequest) -> HttpResponseBase:
    closed = any(decision.closed for decision in request.__dict__["limit_decisions"])
    return _finished(request, _refusal(request, UNAVAILABLE if closed else TOO_MANY))


def _refusal(request: HttpRequest, status: int) -> HttpResponseBase:
    make: Callable[[HttpRequest, int], HttpResponseBase] = import_string(settings.RATE_LIMIT_REFUSAL)
    response = make(request, status)
    response.headers.setdefault("Content-Length", str(len(response.content)))  # type: ignore[attr-defined]
    return response
