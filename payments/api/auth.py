"""Who asks: the AppID in `Authorization`, raw or as HTTP Basic."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from payments.models import Application, Company
from payments.services import companies


class AppID(APIKeyHeader):
    param_name = "Authorization"

    def authenticate(self, request: HttpRequest, key: str | None) -> Application | None:
        return companies.authenticate(key) if key else None


def company(request: HttpRequest) -> Company:
    """The tenant that the request's AppID belongs to."""
    application: Application = request.auth  # type: ignore[attr-defined]
    return application.company
