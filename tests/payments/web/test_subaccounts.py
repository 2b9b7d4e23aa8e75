"""Sub-accounts on the pages: opened, money moved once after both sides were shown; nothing of another company."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Account, Charge, Company, Subaccount
from payments.services import subaccounts
from payments.services.charges import receiving
from tests.payments import making
from tests.payments.web.test_charges import text


def opened(company: Company, name: str) -> Subaccount:
    account = Account.objects.create(company=company, kind="SUBACCOUNT", is_default=False, name=name)
    key = f"{name.lower()}@example.com"
    return Subaccount.objects.create(company=company, pix_key=key, name=name, account=account)


@pytest.fixture
def rich(company: Company) -> Company:
    receiving.receive(making.pix(pix_key=company.pix_key, value=10_000))
    return company


def money(company: Company) -> dict[str, int]:
    """Centavos by whose they are: "" is the company's own."""
    found = Account.objects.filter(company=company, kind__in=("MERCHANT", "SUBACCOUNT"))
    return {account.name if account.kind == "SUBACCOUNT" else "": account.posted for account in found}


def asked(client: Client, path: str, **form: Any) -> Any:
    """The answer to the first page's form."""
    [correlation_id] = re.findall(r'name="correlation_id" value="([^"]+)"', text(client, path))
    return client.post(path, {"correlation_id": correlation_id, **form})


def hidden(answer: Any) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.content.decode()))


@pytest.mark.django_db(transaction=True)
def test_one_is_opened_and_the_same_key_leads_to_it(merchant: Client, bank: Any, company: Company) -> None:
    assert "No sub-accounts yet" in text(merchant, "/subaccounts")
    made = merchant.post("/subaccounts/new", {"name": "Ana", "pix_key": "ANA@exemplo.com"})
    one = Subaccount.objects.get()
    assert made["Location"] == f"/subaccounts/{one.pk}"
    assert (one.company, one.name, one.pix_key) == (company, "Ana", "ana@exemplo.com")
    assert (
        merchant.post("/subaccounts/new", {"name": "x", "pix_key": "ana@exemplo.com"})["Location"] == made["Location"]
    )
    for key, told in (
        ("nobody", "not a Pix key"),
        ("ana@ninguem.example", "Nobody has this Pix key"),
        (company.pix_key, "your own key"),
        ("", "required"),
    ):
        answer = merchant.post("/subaccounts/new", {"name": "Bia", "pix_key": key})
        assert answer.status_code == 422, key
        assert told in answer.content.decode().split('id="id_pix_key_error"')[1].split("</p>")[0]
    assert Subaccount.objects.count() == 1


def test_money_moves_once_after_both_sides_were_shown(merchant: Client, rich: Company) -> None:
    ana, bia = opened(rich, "Ana"), opened(rich, "Bia")
    path = f"/subaccounts/{ana.pk}/move"
    shown = asked(merchant, path, kind="credit", value="40,00", note="Aula")
    page = shown.content.decode().replace("\u00a0", " ")
    assert all(
        words in page
        for words in (
            "Move R$ 40,00?",
            'R$ 99,20</span> → <span class="money">R$ 59,20<',
            'R$ 0,00</span> → <span class="money">R$ 40,00<',
            "Aula",
        )
    )
    assert money(rich) == {"": 9_920, "Ana": 0, "Bia": 0}, "nothing has moved yet"
    for _ in range(2):  # a double click
        assert merchant.post(path, hidden(shown))["Location"] == f"/subaccounts/{ana.pk}"
    assert money(rich) == {"": 5_920, "Ana": 4_000, "Bia": 0}
    other = merchant.post(path, {**hidden(shown), "value": "1,00"})
    assert "sent before with other values" in other.content.decode()

    shown = asked(merchant, path, kind="transfer", value="15,00", to=bia.pk, note="Troco")
    assert 'R$ 40,00</span> → <span class="money">R$ 25,00<' in shown.content.decode().replace("\u00a0", " ")
    merchant.post(path, hidden(shown))
    merchant.post(path, hidden(asked(merchant, path, kind="debit", value="5,00")))
    assert money(rich) == {"": 6_420, "Ana": 2_000, "Bia": 1_500}
    page = text(merchant, f"/subaccounts/{ana.pk}").split('id="movements"')[1]
    rows = re.findall(r"<strong>(.*?)</strong>.*?clip\">(.*?)<.*?row-money.*?>(\+?-?R\$ [\d,]+)<", page, re.S)
    assert [(kind, value) for kind, _, value in rows] == [
        ("Given back from a sub-account", "-R$ 5,00"),
        ("Between sub-accounts", "-R$ 15,00"),
        ("Set aside in a sub-account", "+R$ 40,00"),
    ]
    assert (rows[1][1], rows[2][1]) == ("Troco", "Aula")
    assert "Set aside in all: R$ 35,00" in text(merchant, "/subaccounts")


def test_a_charge_goes_to_one(merchant: Client, bank: Any, rich: Company) -> None:
    form = merchant.get("/charges/new")["Location"]
    assert "Goes to" not in text(merchant, form), "there is none to choose"
    ana, theirs = opened(rich, "Ana"), opened(making.company(), "Secret")
    assert "Secret" not in text(merchant, form)
    wanted = {"value": "50,00", "expires_in": "3600", "subaccount": ana.pk}
    assert merchant.post(form, {**wanted, "subaccount": theirs.pk}).status_code == 422
    answer = merchant.post(form, {**wanted, "value": "0,50"})
    assert "more than the fee" in answer.content.decode().split('id="id_value_error"')[1].split("</p>")[0]
    made = merchant.post(form, wanted)["Location"]
    page = text(merchant, made)
    assert re.search(r"Goes to Ana</dt><dd[^>]*>R\$ 49,50<", page)
    charge = Charge.objects.get(public_id=made.rsplit("/")[-1])
    receiving.receive(making.pix(charge, paid_at=charge.created_at))
    assert money(rich) == {"": 9_920, "Ana": 4_950}


@pytest.mark.parametrize(
    ("form", "field", "told"),
    [
        ({"kind": "credit", "value": "99,21"}, "value", "less than this value"),
        ({"kind": "debit", "value": "0,01"}, "value", "less than this value"),
        ({"kind": "credit", "value": "0,00"}, "value", "more than zero"),
        ({"kind": "credit", "value": ""}, "value", "Type a value"),
        ({"kind": "transfer", "value": "1,00"}, "to", "Choose the other"),
        ({"kind": "transfer", "value": "1,00", "to": "self"}, "to", "valid choice"),
        ({"kind": "transfer", "value": "1,00", "to": "theirs"}, "to", "valid choice"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    merchant: Client, rich: Company, form: dict[str, Any], field: str, told: str
) -> None:
    ana, theirs = opened(rich, "Ana"), opened(making.company(), "Secret")
    form = {**form, "to": {"self": ana.pk, "theirs": theirs.pk}.get(form.get("to", ""), "")}
    for confirmed in ({}, {"confirmed": "on"}):
        answer = asked(merchant, f"/subaccounts/{ana.pk}/move", **form, **confirmed)
        assert answer.status_code == 422
        assert "Secret" not in answer.content.decode()
        error = answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
        assert told in error or (confirmed and "balance is lower" in error)
    assert money(rich) == {"": 9_920, "Ana": 0}


def test_many_cost_as_many_queries_as_one(
    merchant: Client, rich: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    made = [opened(rich, f"Mesa{number:02d}") for number in range(30)]
    for number in range(60):
        subaccounts.credit(rich, made[0].pix_key, 1, f"note-{number:02d}")
    with django_assert_max_num_queries(
        7
    ):  # session, person, company, head of its log, the page, their sum, the balance
        page = text(merchant, "/subaccounts")
    seen = re.findall(r"Mesa\d\d", page)
    seen += re.findall(r"Mesa\d\d", text(merchant, "/subaccounts" + page.split('id="older" href="')[1].split('"')[0]))
    assert seen == [f"Mesa{number:02d}" for number in reversed(range(30))]
    with django_assert_max_num_queries(8):  # the sub-account, its movements, their balances
        page = text(merchant, f"/subaccounts/{made[0].pk}")
    seen = re.findall(r"note-\d\d", page)
    older = page.split('id="older" href="')[1].split('"')[0]
    seen += re.findall(r"note-\d\d", text(merchant, f"/subaccounts/{made[0].pk}{older}"))
    assert seen == [f"note-{number:02d}" for number in reversed(range(60))]


def test_another_companys_do_not_exist(merchant: Client, rich: Company) -> None:
    other = making.company()
    theirs = opened(other, "Secret")
    receiving.receive(making.pix(pix_key=other.pix_key, value=10_000))
    assert merchant.get(f"/subaccounts/{theirs.pk}").status_code == 404
    form = {"kind": "debit", "value": "1,00", "confirmed": "on"}
    for method in (merchant.get, merchant.post):
        assert method(f"/subaccounts/{theirs.pk}/move", form).status_code == 404
    assert "Secret" not in text(merchant, f"/subaccounts?before={theirs.pk + 1}")
    ours = opened(rich, "Ana")
    assert "Secret" not in text(merchant, f"/subaccounts/{ours.pk}/move")
