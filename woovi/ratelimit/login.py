"""Log-in under attack: who tries is charged before the password is looked at, and gets it back when it was right.

    AUTHENTICATION_BACKENDS = ["woovi.ratelimit.login.GuardedBackend"]

Every form that asks Django's `authenticate` is guarded by it: merchants', the admin's, others to come. A password costs
a quarter of a second of CPU, so to count failures afterwards would let a crowd in first.
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
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Raises RateLimited before anything is hashed. Unknown and known accounts are counted, and take, the same."""
        if request is None or username is None:  # a command, or no log-in by password
            return super().authenticate(request, username, password, **kwargs)
        with attempt(request, username) as tried:
            user = super().authenticate(request, username, password, **kwargs)
            if user is not None:
                tried.settle(0)
        return user


@contextmanager
def attempt(request: HttpRequest, username: str) -> Iterator[reserve]:
    """One try to prove who one is. Settled with 0 it was none. Raises RateLimited."""
    account = device.account_of(username)
    known = device.known(request.COOKIES, account)
    names = STRANGER if known is None else ACQUAINTANCE
    with reserve(*asks(request, *names, account=account, device=f"{account} {known}", world="all")) as tried:
        yield tried
