"""Who asks: the AppID in `Authorization`, raw or as HTTP Basic. A wrong one is charged to where it comes from."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from payments import limits
from payments.models import Application, Company
from payments.services import companies
from woovi.ratelimit import reserve
from woovi.ratelimit.middleware import asks

GUESS = ("appid.address", "appid.network")


class AppID(APIKeyHeader):
    param_name = "Authorization"

    def authenticate(self, request: HttpRequest, key: str | None) -> Application | None:
        """Raises RateLimited before the database is asked, where too many were wrong."""
        if not key:
            return None
        if limits.known(key):
            application = companies.authenticate(key)
        else:
            with reserve(*asks(request, *GUESS)) as guess:
                application = companies.authenticate(key)
                if application:
                    guess.settle(0)
        limits.remember(key, str(application.company_id) if application else None)
        return application


def company(request: HttpRequest) -> Company:
    """The tenant that the request's AppID belongs to."""
    application: Application = request.auth  # type: ignore[attr-defined]
    return application.company
