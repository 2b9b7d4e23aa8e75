"""Limits of log-in attempts. Each is charged before its password is checked, and refunded if the password was right.

    AUTHENTICATION_BACKENDS = ["woovi.ratelimit.login.GuardedBackend"]

It guards every form that calls Django's `authenticate`, the merchants' and the admin's. Checking a password takes a quarter
of a second of CPU, so counting failures afterwards would let a crowd of attempts through first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from woovi.ratelimit import device
from woovi.ratelimit.middleware import asks
from woovi.ratelimit.reserve import reserve

STRANGER = ("login.address", "login.network", "login.account", "login.world")
ACQUAINTANCE = ("login.device",)


class GuardedBackend(ModelBackend):
    """Log-in by password, limited by address, account and device."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Raises RateLimited before the password is hashed. Unknown accounts cost the same, in limits and in time."""
        if request is None or username is None:  # a command, or no log-in by password
            return super().authenticate(request, username, password, **kwargs)
        with attempt(request, username) as tried:
            user = super().authenticate(request, username, password, **kwargs)
            if user is not None:
                tried.settle(0)
        return user


@contextmanager
def attempt(request: HttpRequest, username: str) -> Iterator[reserve]:
    """Charge one attempt to prove an identity. `settle(0)` refunds it. Raises RateLimited."""
    account = device.account_of(username)
    known = device.known(request.COOKIES, account)
    names = STRANGER if known is None else ACQUAINTANCE
    with reserve(*asks(request, *names, account=account, device=f"{account} {known}", world="all")) as tried:
        yield tried
