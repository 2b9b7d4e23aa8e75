"""Limits of attempts to log in. Each is charged before its password or code is checked, and refunded if that was right.

    AUTHENTICATION_BACKENDS = ["woovi.ratelimit.login.GuardedBackend"]

It guards every form that calls Django's `authenticate`, the merchants' and the admin's. Checking a password takes a quarter
of a second of CPU, so counting failures afterwards would let a crowd of attempts through first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from woovi.ratelimit import alarm, device, limiter
from woovi.ratelimit.middleware import asks
from woovi.ratelimit.reserve import reserve

DELAY = "login.delay"


class Door(NamedTuple):
    """The policies of one kind of attempt: from unknown browsers, and from one that has logged in to the account."""

    strangers: tuple[str, ...]
    acquaintances: tuple[str, ...]


PASSWORD = Door(("login.address", "login.network", "login.account", "login.world"), ("login.device",))
CODE = Door(
    ("login.address", "login.network", "login.code", "login.code.day"), ("login.code.device", "login.code.devices")
)


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
                tried.succeeded()
        return user


class Attempt:
    """One attempt, charged until it `succeeded`."""

    def __init__(self, reserved: reserve) -> None:
        self._reserved, self.right = reserved, False

    def succeeded(self) -> None:
        self.right = True
        self._reserved.settle(0)


@contextmanager
def attempt(request: HttpRequest, username: str, door: Door = PASSWORD) -> Iterator[Attempt]:
    """Charge one attempt to prove an identity. Raises RateLimited.

    While the alarm is on, a stranger's every failure is followed by a longer wait: the blocks of `login.delay`.
    """
    account = device.account_of(username)
    known = device.known(request.COOKIES, username)
    delayed = (DELAY,) if known is None and alarm.seconds() else ()
    names = door.strangers + delayed if known is None else door.acquaintances
    with reserve(*asks(request, *names, account=account, device=f"{account} {known}", world="all")) as reserved:
        tried = Attempt(reserved)
        yield tried
    if known is None:
        alarm.note(account, failed=not tried.right)
    if delayed and not tried.right:
        limiter.take(*asks(request, *delayed))  # its bucket holds one try: this is refused, and begins the block
