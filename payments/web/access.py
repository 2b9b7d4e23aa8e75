"""Access to merchants' pages: for people who are logged in and belong to a company."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django_htmx.middleware import HtmxDetails

from payments.models import Company, User
from payments.rights import RIGHTS
from woovi import pubsub


class MerchantRequest(HttpRequest):
    """A request whose user and company are known. Views read through `company`, so they see no other tenant."""

    user: User
    company: Company
    htmx: HtmxDetails
    rights: frozenset[str]  # of the user's role
    cursor: int  # number in the company's event log; a whole page shows every event up to it


def merchant(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Decorate a view for a company's people. Others are sent to the log-in, operators to the admin.

    The browser stores no page, so its back button shows none after log-out.
    """

    @wraps(view)
    @never_cache
    def guarded(request: MerchantRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            if request.htmx:  # a fragment: the page around it must go to the log-in
                back = redirect_to_login(request.htmx.current_url_abs_path or "")
                return HttpResponse(status=401, headers={"HX-Redirect": back["Location"].removesuffix("?next=")})
            return redirect_to_login(request.get_full_path())
        if request.user.company is None:
            if request.user.is_staff:
                return redirect("admin:index")
            raise PermissionDenied
        request.company = request.user.company
        request.rights = RIGHTS[request.user.role]
        if not request.htmx:
            # Before the view reads anything. An event gets its number after its change has committed, so the page shows
            # every event up to this number, and the page's socket is sent every later one.
            request.cursor = pubsub.head(str(request.company.pk))
        return view(request, *args, **kwargs)

    return guarded


def require(request: MerchantRequest, right: str) -> None:
    """Raise PermissionDenied where the user's role has not this right of RIGHTS."""
    if right not in request.rights:
        raise PermissionDenied


def needs(right: str, *methods: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Decorate a view, under `merchant`, for people with this right; with `methods`, for requests of those only."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: MerchantRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not methods or request.method in methods:
                require(request, right)
            return view(request, *args, **kwargs)

        return guarded

    return decorate
