"""Browsers that have logged in before. Each has a signed cookie, which gives its log-in attempts a bucket of their own.

An attack on the account or the platform cannot use up that bucket, so it never locks the owner out. The cookie does not
replace the password and opens no session. It ends where the user's `credentials_changed_at`, if users have one, changes:
whoever had the former password, or no second factor, is a stranger again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.dispatch import Signal, receiver
from django.http import HttpRequest, HttpResponseBase

from woovi.ratelimit.subject import fingerprint, keys

PREFIX, SALT, AGE = "device_", "woovi.ratelimit.device", 31_536_000  # seconds
LONGEST = 200  # letters of a cookie of ours; what is longer is not kept in memory either

new_device = Signal()  # user, request: somebody logged in from a browser that had no cookie of theirs


def known(cookies: Mapping[str, str], username: str) -> str | None:
    """The id of the device, where it has logged in to this account before. Who has no cookie costs no query."""
    for key in keys():
        found = _read(cookies.get(_name(account_of(username), key), ""))
        if found and found[0] == _mark(_user(username), username, key):
            return found[1]
    return None


def _user(username: str) -> Any:
    try:
        return get_user_model()._default_manager.get_by_natural_key(username.strip())
    except ObjectDoesNotExist:
        return None


def _mark(user: Any, username: str, key: bytes) -> str:
    """What a cookie of this user holds. Not the time itself: clocks differ, and a signature's time has whole seconds."""
    changed = getattr(user, "credentials_changed_at", None)
    return fingerprint("account", account_of(username), *([changed.isoformat()] if changed else []), key=key)


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
    if request is not None and hasattr(request, "limit_who") and known(request.COOKIES, user.get_username()) is None:
        trust(request, user)
        new_device.send(sender, user=user, request=request)


def account_of(username: str) -> str:
    """The account of a user name as it is counted: in lower case, without spaces around."""
    return username.strip().casefold()


def trust(request: HttpRequest, user: Any) -> None:
    """Let the browser have a cookie with the response: it has just logged in, or changed how its user does."""
    request.limit_device_of = user  # type: ignore[attr-defined]


def remember(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give the browser that is trusted its cookie."""
    user: Any = getattr(request, "limit_device_of", None)
    if user is not None:
        key, username = keys()[0], user.get_username()
        value = signing.dumps([_mark(user, username, key), secrets.token_urlsafe(12)], salt=SALT)
        secure = settings.SESSION_COOKIE_SECURE
        name = _name(account_of(username), key)
        response.set_cookie(name, value, max_age=AGE, httponly=True, samesite="Lax", secure=secure)
