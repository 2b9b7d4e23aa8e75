"""Authentication by the AppID in `Authorization`, raw or as HTTP Basic. Wrong ones count against the sender's address."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from payments import limits
from payments.models import Application, Company
from payments.services import companies
from woovi.ratelimit import reserve
from woovi.ratelimit.middleware import asks

GUESS_LIMITS = ("appid.address", "appid.network")


class AppID(APIKeyHeader):
    """Ninja's authentication by AppID."""

    param_name = "Authorization"

    def authenticate(self, request: HttpRequest, key: str | None) -> Application | None:
        """The application of the AppID `key`, or None.

        Raises:
            RateLimited: too many wrong AppIDs came from this address. The database is not asked then.
        """
        if not key:
            return None
        if limits.known(key):
            application = companies.authenticate(key)
        else:
            with reserve(*asks(request, *GUESS_LIMITS)) as guess:
                application = companies.authenticate(key)
                if application:
                    guess.settle(0)
        limits.remember(key, str(application.company_id) if application else None)
        return application


def company(request: HttpRequest) -> Company:
    """The company (tenant) that the request's AppID belongs to."""
    application: Application = request.auth  # type: ignore[attr-defined]
    return application.company
