"""POST /graphql: who may ask, and what is answered to what is no request."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.test import Client

from payments.models import Application, User
from payments.selectors import balances
from payments.services import companies
from tests.payments.graphql.conftest import Merchant, person

pytestmark = pytest.mark.django_db
ASKED = {"query": "{ company { tradeName } }"}
RESPONSE = "application/graphql-response+json"


def post(client: Client, body: Any = ASKED, kind: str = "application/json", **headers: str) -> Any:
    return client.post("/graphql", body, kind, headers=headers)


def test_a_wrong_app_id_and_nobody_are_refused_in_the_contracts_words(db: None) -> None:
    for headers in ({}, {"Authorization": "nonsense"}):
        answer = post(Client(headers=headers))
        assert (answer.status_code, answer.json()["errors"]) == (401, [{"message": "appID inválido"}])


def test_an_application_with_scopes_needs_that_of_graphql(shop: Merchant) -> None:
    made, key = companies.issue_application(shop.company, "Loja")
    for scopes, status in (["CHARGE_POST"], 403), (["GRAPHQL_POST"], 200):
        Application.objects.filter(pk=made.pk).update(scopes=scopes)
        assert post(Client(), Authorization=key).status_code == status


def test_an_application_is_used_from_its_addresses_alone(shop: Merchant) -> None:
    made, key = companies.issue_application(shop.company, "Loja")
    Application.objects.filter(pk=made.pk).update(allowed_ips=["192.0.2.1"])
    assert post(Client(), Authorization=key).status_code == 401


def test_a_person_needs_a_csrf_token_and_a_company(shop: Merchant) -> None:
    user = User.objects.create_user("a@example.com", company=shop.company)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert post(strict).status_code == 403
    token = strict.get("/graphql").cookies["csrftoken"].value
    answer = post(strict, **{"X-CSRFToken": token})
    assert answer.json() == {"data": {"company": {"tradeName": shop.company.trade_name}}}
    user.company = None
    user.save()
    assert post(strict, **{"X-CSRFToken": token}).status_code == 403


def test_an_app_id_wins_over_a_session(shop: Merchant, rival: Merchant) -> None:
    both = person(rival.company).client
    key = companies.issue_application(shop.company, "x")[1]
    answer = post(both, Authorization=key)
    assert answer.json()["data"]["company"]["tradeName"] == shop.company.trade_name


@pytest.mark.parametrize(
    "body", ["", "x", "[]", '[{"query": "{ cursor }"}]', '"x"', '{"query": 1}', '{"query": "{ cursor }", "variables": []}',
             '{"query": "{ cursor }", "operationName": 1}', '{"query": "{ cursor }", "variables": {"a": "\\ud800"}}',
             '{"query": "{ cursor }", "variables": {"a": "\\u0000"}}', '{"documentId": 5}', '{"query": "subscription { balance { total } }"}']
)  # fmt: skip
def test_what_is_no_request_is_refused(shop: Merchant, body: str) -> None:
    for accepted, status in (("*/*", 200), (RESPONSE, 400)):
        answer = post(shop.client, body, Accept=accepted)
        assert answer.status_code == status
        assert answer["Content-Type"] == (RESPONSE if status == 400 else "application/json")
        assert answer["Cache-Control"].startswith("max-age=0")
        assert answer.json().keys() == {"errors"}


def test_other_methods_and_bodies_are_refused_in_json(shop: Merchant) -> None:
    assert shop.client.put("/graphql", "{}", "application/json").status_code == 405
    assert post(shop.client, "query=x", "application/x-www-form-urlencoded").status_code == 415
    assert post(shop.client, {"query": "x" * 2_000_000}).status_code == 413


def test_graphiql_is_for_development_alone(db: None, settings: Any) -> None:
    page = Client().get("/graphql")
    assert (page.status_code, page.has_header("Content-Security-Policy")) == (200, False)
    assert b'Cookies.get("csrftoken")' not in page.content
    elsewhere = re.findall(r"<(?:script|link)\b[^>]*https://[^>]*>", page.content.decode())
    assert elsewhere, "a control"
    assert [each for each in elsewhere if 'integrity="sha384-' not in each] == [], (
        "whoever serves them may change nothing"
    )
    settings.PRODUCTION = True
    assert Client().get("/graphql").status_code == 405


def test_what_nobody_foresaw_is_logged_and_tells_nothing(
    shop: Merchant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(company: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(balances, "balance", broken)
    with caplog.at_level(logging.ERROR):
        answer = shop.send("{ company { tradeName } balance { total } }")
    assert answer["errors"][0]["message"] == "Internal Server Error"
    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL"}
    assert "1234" not in str(answer)
    assert "a field failed" in caplog.text


def test_a_company_is_the_one_of_the_key_and_no_argument_names_another() -> None:
    from payments.graphql.schema import schema

    names = {
        argument
        for kind in (schema.query_type, schema.mutation_type, schema.subscription_type)
        for field in kind.fields.values()  # type: ignore[union-attr]
        for argument in field.args
    }
    assert not {name for name in names if "company" in name.lower() or "tenant" in name.lower()}
