"""The door of the operators' admin: in production, nobody without a second factor is let in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest

from payments.services import second_factor


class OperatorSite(AdminSite):
    """Django's site, for staff who have a second factor. Who has it was asked for a code when logging in."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not lacks_factor(request)


def lacks_factor(request: HttpRequest) -> bool:
    """Whether this is an operator who must switch a second factor on first. Asked once a request."""
    user: Any = request.user
    if not settings.OPERATOR_SECOND_FACTOR or not user.is_staff:
        return False
    if not hasattr(request, "lacks_factor"):
        request.lacks_factor = not second_factor.is_on(user)  # type: ignore[attr-defined]
    return bool(request.lacks_factor)  # type: ignore[attr-defined]
