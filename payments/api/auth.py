"""Authentication by the AppID in `Authorization`, raw or as HTTP Basic. Wrong ones count against the sender's address.

Each route declares beside its view what an application needs for it: `@router.get("/charge", **needs("CHARGE_GET_LIST"))`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from payments import limits, scopes
from payments.models import Application, Company
from payments.services import applications, companies
from woovi.ratelimit import reserve
from woovi.ratelimit.middleware import asks, client_address

GUESS_LIMITS = ("appid.address", "appid.network")


class AppID(APIKeyHeader):
    """Ninja's authentication by AppID, for a route with this scope ("": a route that is open to every application)."""

    param_name = "Authorization"

    def __init__(self, scope: str, *, master: bool = False) -> None:
        self.scope, self.master = scope, master
        super().__init__()

    def authenticate(self, request: HttpRequest, key: str | None) -> Application | None:
        """The application of the AppID `key`, or None.

        Raises:
            RateLimited: too many wrong AppIDs came from this address. The database is not asked then.
            AddressRefused, Forbidden: it may not be used from here, or not for this route.
        """
        if not key:
            return None
        if limits.known(key):
            found = companies.authenticate(key)
        else:
            with reserve(*asks(request, *GUESS_LIMITS)) as guess:
                found = companies.authenticate(key)
                if found:
                    guess.settle(0)
        if found:
            applications.may(found, self.scope, client_address(request), master=self.master)
        limits.remember(key, str(found.company_id) if found else None)
        return found


def needs(scope: str, *, master: bool = False) -> dict[str, Any]:
    """What a route's decorator takes to demand this scope, and, with `master`, an application of that type.

    Raises ValueError for a scope that is not in `payments.scopes`.
    """
    if scope not in scopes.ALL:
        raise ValueError(f"{scope} is not in payments.scopes")
    return {"auth": AppID(scope, master=master), "openapi_extra": {"x-required-scope": scope}}


def company(request: HttpRequest) -> Company:
    """The company (tenant) that the request's AppID belongs to."""
    return application(request).company


def application(request: HttpRequest) -> Application:
    """The application whose AppID the request has."""
    found: Application = request.auth  # type: ignore[attr-defined]
    return found
