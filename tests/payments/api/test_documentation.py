"""The documentation says for every operation what it does, takes and answers, and the answers are those."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments import contract
from payments.api import answers
from payments.api.app import api
from payments.models import Account, Charge
from payments.selectors import balances
from payments.services import webhooks as services
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.payments.api.schema import SCHEMA

COMPONENTS: dict[str, Any] = SCHEMA["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}


NOT_FOUND = {
    "GET /api/v1/pix-keys/{pix_key}/check",
    "POST /api/v1/pix-keys/check",
    "GET /api/v1/limits/{account_id}",
    "DELETE /api/v1/account/{account_id}",
    "DELETE /api/v1/application",
    "POST /api/v1/application/rotate-secret",
    "DELETE /api/v1/pix-keys/{pix_key}",
    "PUT /api/v1/pix-keys/{pix_key}/default",
    "POST /api/v1/pix-keys/{pix_key}/default",
}
CREATED = {"POST /api/v1/application", "POST /api/v1/pix-keys"}
EMPTY = {"DELETE /api/v1/pix-keys/{pix_key}"}
WITHOUT_BODY = {"POST /api/v1/pix-keys/{pix_key}/default", "POST /api/v1/account"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    (schema,) = schema.get("allOf", [schema])  # so it stands where a body may be left out
    return COMPONENTS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.match(
        r"(Create|Register|Change|Delete|Get|List|Read|Refund|Approve|Credit|Debit|Move|Withdraw) ",
        operation["summary"],
    )
    assert operation["description"]
    told = operation["responses"]
    public = name.endswith("/public-keys")
    with_body = "requestBody" in operation
    done = {201} if name in CREATED else {204} if name in EMPTY else {200}
    expected = done | {429, 503} | (set() if public else {400, 401, 403}) | ({413, 415} if with_body else set())
    assert set(told) == expected | ({404} if name in NOT_FOUND else set())
    takes_one = name.startswith(("POST", "PATCH")) or name == "DELETE /api/v1/application"
    assert with_body == (takes_one and name not in WITHOUT_BODY)
    for status, answer in told.items():
        if status == 204:
            continue
        schema = answer["content"]["application/json"]["schema"]
        schema = resolved(schema.get("items", schema))
        assert schema["properties"], (status, schema)
        assert schema["required"]
    if with_body:
        assert resolved(operation["requestBody"]["content"]["application/json"]["schema"])["example"]
    for parameter in operation["parameters"]:
        assert "description" in parameter or parameter["in"] == "query"


def test_nothing_that_is_taken_has_the_name_of_what_is_answered() -> None:
    """Both go into one table of the document, and one would hide the other."""
    answered = {name for name, value in vars(answers).items() if isinstance(value, type) and name in COMPONENTS}
    for name in answered:
        assert set(COMPONENTS[name].get("properties", {})) == set(getattr(answers, name).__annotations__), name


@pytest.mark.parametrize(
    "name", [name for name in OPERATIONS if name.startswith(("POST", "PATCH")) and name not in WITHOUT_BODY]
)
def test_the_examples_are_taken(name: str) -> None:
    operation = OPERATIONS[name]
    example = resolved(operation["requestBody"]["content"]["application/json"]["schema"])["example"]
    path = name.split()[1].replace("{identifier}", "a").replace("{webhook_id}", "1")
    method = name.split()[0].lower()
    _, view = next((p, v) for p, v in _views() if re.fullmatch(p, path.removeprefix("/api/v1")) and method in v)
    assert view[method].model_validate(example)


def _views() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for _, router in api._routers:
        for path, view in router.path_operations.items():
            models = {
                method.lower(): model.model_fields["body"].annotation
                for operation in view.operations
                for method in operation.methods
                for model in operation.models
                if "body" in model.model_fields
            }
            found.append((re.sub(r"\{\w+\}", "[^/]+", path), models))
    return found


@pytest.mark.django_db
def test_answers_are_the_contracts_objects_whole(shop: Merchant) -> None:
    """The schemas neither drop nor add anything."""
    customer = {
        "name": "Ana", "taxID": making.ANA, "email": "a@b.com", "phone": "+5511999991234", "correlationID": "c",
        "address": {name: name for name in answers.CustomerAddress.__annotations__},
    }  # fmt: skip
    now = timezone.now()
    made = making.charge(
        shop.company, correlation_id="a", customer=customer, additional_info=[{"key": "k", "value": "v"}],
        expires_at=now,
    )  # fmt: skip
    pix = receiving.receive(making.pix(made, paid_at=now), now)
    charge = Charge.objects.select_related("company").get(pk=made.pk)
    refund = refunds.request(shop.company, charge, "r", 100, "x", now=now)
    endpoint = services.create(shop.company, name="a", url="http://127.0.0.1:1/", is_active=False)
    account = Account.objects.get(company=shop.company, kind="MERCHANT")
    charge.refresh_from_db()

    def got(path: str) -> Any:
        answer = shop.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.content
        return answer.json()

    assert got("charge/a") == {"charge": contract.charge(charge, shop.company, pix)}
    assert got("charge")["charges"] == [contract.charge(charge, shop.company, pix)]
    assert got("charge/a/refund")["refunds"] == [contract.refund(refund)]
    assert got("company") == {"company": contract.company(shop.company)}
    shown = contract.account(account, shop.company, balances.of_account(account, shop.company))
    assert got("account")["accounts"] == [shown]
    assert got(f"account/{account.public_id}") == {"account": shown}
    assert got("webhook")["webhooks"][0]["id"] == endpoint.public_id


@pytest.mark.django_db
def test_the_document_is_served() -> None:
    document = Client().get("/api/v1/openapi.json").json()
    assert document["paths"]["/api/v1/charge"]["post"]["summary"] == "Create a charge"
