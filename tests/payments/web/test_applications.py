"""AppIDs on the pages: made with a code, shown once, changed, given another secret, switched off."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Application, Company, Payment, User
from payments.services import applications, companies
from tests.payments import making
from tests.payments.web.log_in import PASSWORD, Owner, browser
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


@pytest.fixture
def approver(company: Company) -> tuple[Client, Owner]:
    """Another person of the company, who may approve payments."""
    second = Owner(User.objects.create_user("bia@example.com", PASSWORD, company=company, role=User.Role.APPROVER))
    client = browser()
    client.force_login(second.user)
    return client, second


def status(app_id: str, path: str) -> tuple[int, str]:
    answer = Client(headers={"Authorization": app_id}).post(path, b"{}", "application/json")
    return answer.status_code, answer.json()["error"]


def pays(app_id: str) -> bool:
    """Whether the AppID gets as far as its body."""
    code, why = status(app_id, "/api/v1/payment/approve")
    assert (code, "another person" in why) in {(403, True), (400, False)}, why
    return code == 400


def test_one_that_may_send_money_waits_for_another_person(
    manager: Client, owner: Owner, approver: tuple[Client, Owner]
) -> None:
    other, second = approver
    app_id = shown(made := manager.post(NEW, {"name": "Loja", "reach": "all", "code": owner.code}))
    assert "It sends no money yet" in told(made)
    found = Application.objects.get()
    page = f"/developers/applications/{found.client_id}"
    assert not pays(app_id)
    for path in ("/api/v1/transfer", "/api/v1/subaccount/x/withdraw"):
        assert status(app_id, path)[0] == 403, path
    body = {"correlationID": "x", "value": 1, "destinationAlias": "ana@exemplo.com", "autoApprove": True}
    asked = Client(headers={"Authorization": app_id}).post("/api/v1/payment", body, "application/json")
    assert (asked.status_code, Payment.objects.count()) == (403, 0)
    assert status(app_id, "/api/v1/charge")[0] == 400, "what sends nothing is its to do"

    # Who asked for it does not let it, nor does a wrong code.
    assert f"{page}/approve" not in text(manager, page)
    assert "Another person" in told(manager.post(f"{page}/approve", {"code": owner.recovery[0]}, follow=True))
    assert f"{page}/approve" in text(other, page)
    assert "This code is wrong" in told(other.post(f"{page}/approve", {"code": "000000"}))
    assert not pays(app_id)
    assert "Let Loja send money?" in text(other, f"{page}/approve")
    assert "It may send money" in told(other.post(f"{page}/approve", {"code": second.code}, follow=True))
    assert pays(app_id)
    assert "It sends no money yet" not in text(manager, page)

    # Whoever changes the secret sees it.
    again = shown(manager.post(f"{page}/rotate", {"code": owner.recovery[1]}))
    assert not pays(again)


def test_what_it_may_more_is_asked_for_too(
    manager: Client, owner: Owner, approver: tuple[Client, Owner], company: Company
) -> None:
    shop, app_id = companies.issue_application(company, "shop", scopes=["CHARGE_GET"])
    page = f"/developers/applications/{shop.client_id}"
    some = {"reach": "some", "scopes": ["CHARGE_GET", "PAYMENT_APPROVE_POST"], "allowed_ips": ""}
    manager.post(page, {**some, "scopes": ["CHARGE_GET", "CHARGE_POST"], "code": owner.code})
    shop.refresh_from_db()
    assert not shop.waits
    manager.post(page, {**some, "code": owner.recovery[0]})
    shop.refresh_from_db()
    assert shop.waits
    assert not pays(app_id)
    applications.approve(shop, approver[1].user, shop.scopes)
    manager.post(page, {**some, "allowed_ips": "203.0.113.9", "code": owner.recovery[1]})
    shop.refresh_from_db()
    assert not shop.waits, "it sends by nothing that was not approved"
    more = ["PAYMENT_APPROVE_POST", "TRANSFER_POST"]
    manager.post(page, {**some, "scopes": more, "code": owner.recovery[2]})
    shop.refresh_from_db()
    assert shop.waits


def test_a_change_begun_before_brings_no_approval_back(
    owner: Owner, approver: tuple[Client, Owner], company: Company
) -> None:
    """Who sees the new secret could otherwise send with it by a second form that was read before."""
    shop, _ = companies.issue_application(company, "shop", asked_by=owner.user)
    applications.approve(shop, approver[1].user, shop.scopes)
    read_before, shop = (Application.objects.get(pk=shop.pk) for _ in range(2))
    assert not read_before.waits
    app_id = applications.rotated_by(owner.user, shop)
    applications.change(read_before, wanted=[], allowed_ips=["127.0.0.0/8"], person=owner.user)
    assert not pays(app_id)


def test_what_is_approved_is_what_was_shown(
    manager: Client, owner: Owner, approver: tuple[Client, Owner], company: Company
) -> None:
    other, second = approver
    shop, _ = companies.issue_application(company, "shop", scopes=["TRANSFER_POST"], asked_by=owner.user)
    page = f"/developers/applications/{shop.client_id}"
    assert 'name="scopes" value="TRANSFER_POST"' in text(other, f"{page}/approve")
    more = {"reach": "some", "scopes": ["TRANSFER_POST", "GRAPHQL_POST"], "allowed_ips": "", "code": owner.code}
    manager.post(page, more)
    for code, seen, words in (
        (second.code, "TRANSFER_POST", "changed since it was shown"),
        (second.recovery[0], "GRAPHQL_POST TRANSFER_POST", "It may send money"),
    ):
        answer = other.post(f"{page}/approve", {"code": code, "scopes": seen}, follow=True)
        assert words in told(answer)


def test_nobody_makes_a_payment_by_their_own_appid_and_approves_it_on_the_page(
    manager: Client, owner: Owner, approver: tuple[Client, Owner]
) -> None:
    form = {"name": "Loja", "reach": "some", "scopes": ["PAYMENT_POST"], "code": owner.code}
    app_id = shown(manager.post(NEW, form))
    body = {"correlationID": "x", "value": 1, "destinationAlias": "ana@exemplo.com"}
    made = Client(headers={"Authorization": app_id}).post("/api/v1/payment", body, "application/json")
    assert (made.status_code, Payment.objects.count()) == (403, 0)


@pytest.mark.parametrize("first", ["rotate", "change"])
def test_two_forms_at_once_let_nothing_send_that_nobody_approved(
    owner: Owner, approver: tuple[Client, Owner], company: Company, first: str
) -> None:
    """Each has read the application before the other has written."""
    more, person = ["CHARGE_GET", "TRANSFER_POST"], owner.user
    approved = companies.issue_application(company, "shop", asked_by=person, approved_by=approver[1].user)[0]
    plain = companies.issue_application(company, "shop", scopes=["CHARGE_GET"])[0]
    for shop, wanted in ((approved, ()), (plain, more)):
        read = [Application.objects.get(pk=shop.pk) for _ in range(2)]
        forms = [
            lambda each: applications.rotated_by(person, each),
            lambda each, wanted=wanted: applications.change(each, wanted=wanted, allowed_ips=(), person=person),
        ]
        for form, each in zip(forms if first == "rotate" else reversed(forms), read, strict=True):
            form(each)
        shop.refresh_from_db()
        assert shop.waits


def test_who_is_alone_needs_nobody(manager: Client, owner: Owner, company: Company) -> None:
    """The negative control; somebody who may not approve is no second person."""
    User.objects.create_user("viewer@example.com", PASSWORD, company=company, role=User.Role.VIEWER)
    assert pays(shown(manager.post(NEW, {"name": "Loja", "reach": "all", "code": owner.code})))
