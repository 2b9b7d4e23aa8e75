"""Authentication of connections. The tenant comes from the session or the AppID, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from payments.models import Application, User
from payments.services import applications, companies
from payments.services.errors import AddressRefused, Forbidden
from woovi.ratelimit.address import IP

Check = Callable[[], "Visitor | None"]


@dataclass(frozen=True)
class Visitor:
    """subject: the user or application, by whose name access is revoked and connections are counted.
    tenant: its company, empty for a user without one. check: looks again; None once access has ended.
    expires_at: when it ends by itself. user_id: None for an application.
    """

    subject: str
    tenant: str
    check: Check
    expires_at: datetime | None = None
    user_id: int | None = None


def by_session(key: str | None) -> Visitor | None:
    """The user whose session has this key. None after log-out, expiry, a changed password, or a lock-out."""
    request = HttpRequest()
    request.session = session = SessionStore(key)
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None
    tenant = str(user.company_id or "")
    return Visitor(user_subject(user), tenant, partial(by_session, key), session.get_expiry_date(), user.pk)


def by_app_id(header: str, scope: str, address: IP | None) -> Visitor | None:
    """The application whose AppID is in an `Authorization` header, raw or as HTTP Basic, if it has `scope` at `address`."""
    application = companies.authenticate(header)
    if application is None:
        return None
    try:
        applications.may(application, scope, address)
    except (AddressRefused, Forbidden):
        return None
    check = partial(by_app_id, header, scope, address)
    return Visitor(application_subject(application), str(application.company_id), check)


def user_subject(user: User) -> str:
    """The name under which a user's connections are counted."""
    return f"user {user.pk}"


def application_subject(application: Application) -> str:
    """The name under which an application's connections are counted."""
    return f"application {application.pk}"
