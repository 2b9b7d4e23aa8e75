from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from payments.models import Company
from payments.services import companies
from tests.payments import making
from tests.payments.api import woovi_contract


@dataclass
class Merchant:
    """A company, and a client that speaks for it."""

    company: Company
    app_id: str
    address: str = "127.0.0.1"

    def get(self, path: str, **query: Any) -> Any:
        return self._checked("GET", path, self._client().get(path, query))

    def post(self, path: str, body: Any, content_type: str = "application/json") -> Any:
        return self.send("POST", path, body, content_type)

    def delete(self, path: str) -> Any:
        return self._checked("DELETE", path, self._client().delete(path))

    def send(self, method: str, path: str, body: Any, content_type: str = "application/json") -> Any:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self._checked(method, path, self._client().generic(method, path, data, content_type))

    @staticmethod
    def _checked(method: str, path: str, answer: Any) -> Any:
        """Every answer of these tests is as Woovi's contract has it."""
        woovi_contract.check(method, path, answer)
        return answer

    def _client(self) -> Client:
        # As a server would: an unexpected exception is answered, not raised into the test.
        return Client(headers={"Authorization": self.app_id}, raise_request_exception=False, REMOTE_ADDR=self.address)

    def known_as(self, **rights: Any) -> Merchant:
        """The same company, with another application."""
        return Merchant(self.company, companies.issue_application(self.company, "Other", **rights)[1], self.address)


def merchant() -> Merchant:
    company = making.company()
    return Merchant(company, companies.issue_application(company, "Test", type="MASTER")[1])


@pytest.fixture
def shop(db: None) -> Merchant:
    return merchant()


@pytest.fixture
def rival(db: None) -> Merchant:
    return merchant()


@pytest.fixture
def bank_token(settings: Any) -> str:
    token: str = settings.BANK_CALLBACK_TOKEN
    return token
