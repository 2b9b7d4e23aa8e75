"""AppIDs on the pages: made with a code, shown once, changed, given another secret, switched off."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Application, Company, User
from payments.services import companies
from tests.payments import making
from tests.payments.web.log_in import Owner
from tests.payments.web.test_charges import text

NEW = "/developers/applications/new"


@pytest.fixture
def manager(merchant: Client, owner: Owner) -> Client:
    """The owner's browser, once the second factor is on."""
    merchant.force_login(owner.user)
    return merchant


@pytest.fixture
def shop(company: Company) -> Application:
    return companies.issue_application(company, "shop", scopes=["CHARGE_GET"], allowed_ips=["203.0.113.9"])[0]


def told(answer: Any) -> str:
    return str(answer.content.decode().replace("\u00a0", " "))


def shown(answer: Any) -> str:
    """The AppID of an answer."""
    found = re.search(r'id="app-id"[^>]* value="([^"]+)"', answer.content.decode())
    assert found, "no AppID is shown"
    assert "no-store" in answer["Cache-Control"]
    return found[1]


def test_one_is_made_with_a_code_and_shown_once(manager: Client, owner: Owner, company: Company) -> None:
    assert "No AppIDs yet" in text(manager, "/developers")
    form = {
        "name": "Loja",
        "reach": "some",
        "scopes": ["CHARGE_POST", "CHARGE_GET"],
        "allowed_ips": "203.0.113.7\n10.1.2.3/8",
    }
    assert "This code is wrong" in told(manager.post(NEW, {**form, "code": "000000"}))
    assert not Application.objects.exists()

    app_id = shown(manager.post(NEW, {**form, "code": owner.code}))

    made = companies.authenticate(app_id)
    assert made
    assert (made.company, made.name, made.type) == (company, "Loja", "API")
    assert (made.scopes, made.allowed_ips) == (["CHARGE_GET", "CHARGE_POST"], ["10.0.0.0/8", "203.0.113.7"])
    for path in ("/developers", f"/developers/applications/{made.client_id}"):
        page = text(manager, path)
        assert made.client_id in page
        assert app_id not in page
        assert companies.secret_of(app_id) not in page


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "required"),
        ({"reach": "some"}, "scopes", "Tick at least one"),
        ({"reach": "some", "scopes": "KING"}, "scopes", "valid choice"),
        ({"allowed_ips": "10.0.0.0/8 nonsense"}, "allowed_ips", "nonsense is not an address"),
        ({"code": ""}, "code", "required"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    manager: Client, owner: Owner, changes: dict[str, str], field: str, words: str
) -> None:
    answer = manager.post(NEW, {"name": "Loja", "reach": "all", "code": owner.code, **changes})
    assert answer.status_code == 422
    assert words in told(answer).split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert not Application.objects.exists()


def test_without_a_second_factor_nothing_is_made_or_changed(merchant: Client, shop: Application) -> None:
    page = f"/developers/applications/{shop.client_id}"
    form = {"name": "Loja", "reach": "all", "code": "123456"}
    for path in (NEW, page, f"{page}/rotate"):
        assert "You need a second factor" in text(merchant, path)
        answer = merchant.post(path, form)
        assert answer.status_code == 422, path
        assert "Switch on your second factor first" in told(answer)
    digest = shop.secret_digest
    shop.refresh_from_db()
    assert (Application.objects.count(), shop.secret_digest, shop.scopes) == (1, digest, ["CHARGE_GET"])


def test_it_is_changed_given_another_secret_and_switched_off(manager: Client, owner: Owner, company: Company) -> None:
    shop, first = companies.issue_application(company, "shop", scopes=["CHARGE_GET"], allowed_ips=["203.0.113.9"])
    page = f"/developers/applications/{shop.client_id}"
    assert re.search(r'value="CHARGE_GET" checked', text(manager, page))
    manager.post(page, {"reach": "all", "scopes": ["CHARGE_GET"], "allowed_ips": "", "code": owner.code})
    shop.refresh_from_db()
    assert (shop.scopes, shop.allowed_ips) == ([], [])

    assert "refused at once" in text(manager, f"{page}/rotate")
    assert companies.authenticate(first), "a reading changes nothing"
    second = shown(manager.post(f"{page}/rotate", {"code": owner.recovery[0]}))
    assert companies.authenticate(first) is None
    assert companies.authenticate(second)

    assert "Switch shop off?" in text(manager, f"{page}/disable")
    assert companies.authenticate(second)
    assert "shop is switched off" in told(manager.post(f"{page}/disable", follow=True))
    assert companies.authenticate(second) is None
    for path in (f"{page}/rotate", f"{page}/disable", page):
        assert "switched off for good" in told(manager.post(path, {"code": owner.recovery[1]}, follow=True))


def test_a_master_is_the_operators(manager: Client, owner: Owner, company: Company) -> None:
    master, app_id = companies.issue_application(company, "master", type="MASTER")
    page = f"/developers/applications/{master.client_id}"
    assert "MASTER" in text(manager, page)
    for path in (page, f"{page}/rotate", f"{page}/disable"):
        answer = manager.post(path, {"reach": "some", "scopes": ["CHARGE_GET"], "code": owner.code}, follow=True)
        assert "Only operators change" in told(answer)
    found = companies.authenticate(app_id)
    assert found
    assert found.scopes == []


def test_a_viewer_looks_and_the_list_costs_no_query_each(
    client: Client, shop: Application, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(User.objects.create_user("v@example.com", company=company, role="VIEWER"))
    page = client.get(f"/developers/applications/{shop.client_id}").content.decode()
    assert all(words in page for words in ("CHARGE_GET", "203.0.113.9"))
    assert '<form method="post" class' not in page
    for number in range(30):
        companies.issue_application(company, f"shop {number}")
    companies.issue_application(making.company(), "theirs")
    # Session, person, company, head of its log, webhooks, AppIDs, the balance.
    with django_assert_max_num_queries(8):
        assert "theirs" not in client.get("/developers").content.decode()
