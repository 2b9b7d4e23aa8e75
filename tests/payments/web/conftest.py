from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from django.test import Client
from django_otp.plugins.otp_totp import models as otp

from payments.models import Company, User
from tests.payments import making
from tests.payments.web.log_in import PASSWORD, Owner

__all__ = ["PASSWORD"]


@pytest.fixture
def company(db: None) -> Company:
    return making.company()


@pytest.fixture
def user(company: Company) -> User:
    return User.objects.create_user("ana@example.com", PASSWORD, company=company)


@pytest.fixture
def merchant(client: Client, user: User) -> Client:
    """A browser of the company's, logged in, that reads English."""
    client.force_login(user)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def owner(user: User) -> Owner:
    return Owner(user)


@pytest.fixture(autouse=True)
def _codes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phones' codes change every half minute, which a busy machine may take between two lines of a test."""
    now = time.time()
    monkeypatch.setattr(otp, "time", SimpleNamespace(time=lambda: now))
