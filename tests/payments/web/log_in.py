"""People who log in: browsers, passwords, phones that make codes."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp import models as otp

from payments.models import User
from payments.services import second_factor

PASSWORD = "correct horse battery"
MINE, THEIRS = "203.0.113.9", "198.51.100.7"


def phone(secret: str, steps: int = 0) -> str:
    """The code that a phone with this secret shows, `steps` half minutes from now."""
    made = TOTP(bytes.fromhex(secret))
    made.time = otp.time.time() + 30 * steps
    return f"{made.token():06}"


class Owner:
    """A user with a phone and recovery codes."""

    def __init__(self, user: User) -> None:
        self.user, self.secret = user, second_factor.new_secret()
        self.recovery = second_factor.switch_on(user, self.secret, phone(self.secret, -1))

    @property
    def code(self) -> str:
        return phone(self.secret)


def browser() -> Client:
    return Client(HTTP_ACCEPT_LANGUAGE="en", REMOTE_ADDR=MINE)


def give_password(client: Client, path: str = "/login", email: str = "ana@example.com", **fields: str) -> Any:
    return client.post(path, {"username": email, "password": PASSWORD, **fields})


def give_code(client: Client, code: str) -> Any:
    return client.post("/login/code", {"code": code})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session
