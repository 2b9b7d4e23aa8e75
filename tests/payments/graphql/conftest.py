"""A merchant who asks by HTTP, as a program or as a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from payments.models import Company, User
from payments.services import companies
from tests.payments import making


@dataclass
class Merchant:
    """A company, and a client that speaks for it."""

    company: Company
    client: Client
    user: User | None = None
    answers: list[Any] = field(default_factory=list)

    def send(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        return self.post({"query": document, "variables": variables})

    def post(self, body: Any, **headers: str) -> dict[str, Any]:
        response = self.client.post("/graphql", body, "application/json", headers=headers)
        self.answers.append(response)
        found: dict[str, Any] = response.json()
        return found

    def ask(self, document: str, **variables: Any) -> Any:
        """The data, of an answer without errors."""
        found = self.send(document, **variables)
        assert "errors" not in found, found
        return found["data"]

    def refused(self, document: str, **variables: Any) -> dict[str, Any]:
        """The one error of the answer: its message, and its extensions."""
        (error,) = self.send(document, **variables)["errors"]
        return {"message": error["message"], **error["extensions"]}


def program(company: Company | None = None) -> Merchant:
    owner = company or making.company()
    key = companies.issue_application(owner, "Test")[1]
    return Merchant(owner, Client(headers={"Authorization": key}))


def person(company: Company, name: str = "ana") -> Merchant:
    user = User.objects.create_user(f"{name}{company.pk}@example.com", company=company)
    client = Client()
    client.force_login(user)
    return Merchant(company, client, user)


@pytest.fixture
def shop(db: None) -> Merchant:
    return program()


@pytest.fixture
def rival(db: None) -> Merchant:
    return program()
