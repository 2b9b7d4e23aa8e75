"""Browsers that have logged in before. Each has a signed cookie, which gives its log-in attempts a bucket of their own.

An attack on the account or the platform cannot use up that bucket, so it never locks the owner out. The cookie does not
replace the password and opens no session.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core import signing
from django.dispatch import Signal, receiver
from django.http import HttpRequest, HttpResponseBase

from woovi.ratelimit.subject import fingerprint, keys

PREFIX, SALT, AGE = "device_", "woovi.ratelimit.device", 31_536_000  # seconds
LONGEST = 200  # letters of a cookie of ours; what is longer is not kept in memory either

new_device = Signal()  # user, request: somebody logged in from a browser that had no cookie of theirs


def known(cookies: Mapping[str, str], account: str) -> str | None:
    """The id of the device, where it has logged in to this account before."""
    for key in keys():
        found = _read(cookies.get(_name(account, key), ""))
        if found and found[0] == fingerprint("account", account, key=key):
            return found[1]
    return None


def any_known(header: str) -> bool:
    """Whether a Cookie header holds the cookie of any account."""
    return PREFIX in header and any(_read(value) for value in _devices(header))


def _devices(header: str) -> Iterator[str]:
    try:
        for name, morsel in SimpleCookie(header).items():
            if name.startswith(PREFIX):
                yield morsel.value
    except CookieError:
        return


def _read(value: str) -> tuple[str, str] | None:
    return _verified(value) if 0 < len(value) <= LONGEST else None


@lru_cache(maxsize=1_000)
def _verified(value: str) -> tuple[str, str] | None:
    try:
        account, device = signing.loads(value, salt=SALT, max_age=AGE)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return account, device


def _name(account: str, key: bytes) -> str:
    return PREFIX + fingerprint("cookie", account, key=key)[:10]


@receiver(user_logged_in)
def _logged_in(sender: object, request: HttpRequest | None, user: Any, **_: object) -> None:
    # One that did not come through the middleware is no browser's: a test's, or a command's.
    if (
        request is not None
        and hasattr(request, "limit_who")
        and known(request.COOKIES, account_of(user.get_username())) is None
    ):
        request.limit_device_of = account_of(user.get_username())  # type: ignore[attr-defined]
        new_device.send(sender, user=user, request=request)


def account_of(username: str) -> str:
    """The account of a user name as it is counted: in lower case, without spaces around."""
    return username.strip().casefold()


def remember(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give the browser that has just logged in its cookie."""
    account: str | None = getattr(request, "limit_device_of", None)
    if account is not None:
        key = keys()[0]
        mark = fingerprint("account", account, key=key)
        value = signing.dumps([mark, secrets.token_urlsafe(12)], salt=SALT)
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(_name(account, key), value, max_age=AGE, httponly=True, samesite="Lax", secure=secure)
