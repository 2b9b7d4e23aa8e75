"""Sub-accounts on the pages: opened, money moved once after both sides were shown; nothing of another company."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Account, Charge, Company, Payment, Subaccount, User
from payments.services import payments, subaccounts
from payments.services.charges import receiving
from payments.services.errors import Invalid
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
        8
    ):  # session, person, company, head of its log, the page, their sum, the balance, the bell
        page = text(merchant, "/subaccounts")
    seen = re.findall(r"Mesa\d\d", page)
    seen += re.findall(r"Mesa\d\d", text(merchant, "/subaccounts" + page.split('id="older" href="')[1].split('"')[0]))
    assert seen == [f"Mesa{number:02d}" for number in reversed(range(30))]
    with django_assert_max_num_queries(9):  # the sub-account, its movements, their balances
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


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_is_asked_for_once_and_approved_by_another_person(
    merchant: Client, bank: Any, rich: Company, user: User
) -> None:
    ana = opened(rich, "Ana")
    Subaccount.objects.filter(pk=ana.pk).update(pix_key="ana@exemplo.com")
    subaccounts.credit(rich, "ana@exemplo.com", 4_000)
    path = f"/subaccounts/{ana.pk}/withdraw"
    assert 'name="value" value="R$\u00a040,00"' in merchant.get(path).content.decode(), "all there is"
    for value, told in (("", "Type a value"), ("40,01", "less than this value"), ("0,00", "more than zero")):
        answer = asked(merchant, path, value=value)
        assert (answer.status_code, told in answer.content.decode()) == (422, True), value
    shown = asked(merchant, path, value="30,00")
    page = shown.content.decode().replace("\u00a0", " ")
    for words in (
        "Withdraw R$ 30,00?",
        'R$ 40,00</span> → <span class="money">R$ 10,00<',
        'id="owner"',
        "another person",
    ):
        assert words in page, words
    assert not Payment.objects.exists()
    answers = {merchant.post(path, hidden(shown))["Location"] for _ in range(2)}
    payment = Payment.objects.get()
    assert answers == {f"/payments/{payment.public_id}"}
    assert (payment.status, payment.value, payment.source_id, payment.maker) == ("CREATED", 3_000, ana.account_id, user)
    assert "Ana" in text(merchant, f"/payments/{payment.public_id}")
    with pytest.raises(Invalid, match="does not approve it"):
        payments.approve(rich, payment.correlation_id, approver=user)
    other = User.objects.create_user("bia@example.com", company=rich, role="APPROVER")
    Subaccount.objects.update(withdraw_blocked=True)  # nobody has the key, it turned out meanwhile
    with pytest.raises(Invalid, match="Withdraw blocked"):
        payments.approve(rich, payment.correlation_id, approver=other)
    assert "blocked" in asked(merchant, path, value="1,00").content.decode()
    Subaccount.objects.update(withdraw_blocked=False)
    payments.approve(rich, payment.correlation_id, approver=other)
    account = Account.objects.get(pk=ana.account_id)
    assert (account.posted, account.pending_out) == (4_000, 3_000)
    assert "being withdrawn" in text(merchant, f"/subaccounts/{ana.pk}/close")
    stays = merchant.post(f"/subaccounts/{ana.pk}/close", {"value": 1_000, "correlation_id": uuid.uuid4()}, follow=True)
    assert "look again" in stays.content.decode()
    assert Subaccount.objects.get().closed_at is None


def test_closing_gives_back_what_was_shown_and_no_more(merchant: Client, rich: Company) -> None:
    ana = opened(rich, "Ana")
    subaccounts.credit(rich, ana.pix_key, 4_000)
    path = f"/subaccounts/{ana.pk}/close"
    shown = merchant.get(path)
    page = shown.content.decode().replace("\u00a0", " ")
    for words in ('R$ 40,00</span> → <span class="money">R$ 0,00<', 'R$ 59,20</span> → <span class="money">R$ 99,20<'):
        assert words in page, words
    subaccounts.credit(rich, ana.pix_key, 100)  # comes between the page and its button
    kept = merchant.post(path, hidden(shown), follow=True).content.decode().replace("\u00a0", " ")
    assert "look again" in kept
    assert "R$ 1,00</span> →" in kept
    assert money(rich) == {"": 9_820, "Ana": 100}
    assert merchant.post(path, {"value": "x"}).status_code == 422
    merchant.post(path, hidden(merchant.get(path)))
    assert money(rich) == {"": 9_920, "Ana": 0}
    assert "No sub-accounts yet" in text(merchant, "/subaccounts")
    assert merchant.get(path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_charge_is_shared_by_values_and_percentages(merchant: Client, bank: Any, rich: Company) -> None:
    ana, bia, theirs = opened(rich, "Ana"), opened(rich, "Bia"), opened(making.company(), "Eva")

    def sent(**form: Any) -> Any:
        filled = {"value": "100,00", "expires_in": 900, **form}
        return merchant.post(f"/charges/new/{uuid.uuid4()}", filled)

    for field, told, form in (
        ("to_0", "Choose who", {"part_0": "10 %"}),
        ("part_0", "how much", {"to_0": ana.pk}),
        ("part_0", "12,34 or as 10 %", {"to_0": ana.pk, "part_0": "10.5 %"}),
        ("part_0", "at most 100 %", {"to_0": ana.pk, "part_0": "100,01 %"}),
        ("part_0", "more than 0 %", {"to_0": ana.pk, "part_0": "0%"}),
        ("part_0", "more than zero", {"to_0": ana.pk, "part_0": "0,00"}),
        ("part_0", "less than a centavo", {"to_0": ana.pk, "part_0": "0,01 %", "value": "0,49"}),
        ("part_0", "more than R$ 99,20 in all", {"to_0": ana.pk, "part_0": "60 %", "to_1": bia.pk, "part_1": "39,21"}),
        ("to_1", "not one of the available", {"to_1": theirs.pk, "part_1": "10 %"}),
        ("subaccount", "Either one", {"to_0": ana.pk, "part_0": "1 %", "subaccount": bia.pk}),
    ):
        answer = sent(**form)
        shown = answer.content.decode().replace("\u00a0", " ")
        assert told in shown.split(f'id="id_{field}_error"')[1].split("</p>")[0], form
        assert answer.status_code in (200, 422)
        assert '<details class="parts" open>' in shown
    assert not Charge.objects.exists()

    sent(to_0=ana.pk, part_0="12,5 %", to_2=bia.pk, part_2="30,00")
    charge = Charge.objects.get()
    assert [(split["name"], split["value"]) for split in charge.splits or []] == [("Ana", 1_250), ("Bia", 3_000)]
    page = text(merchant, f"/charges/{charge.public_id}")
    assert "R$ 12,50" in page
    again = merchant.get(f"/charges/new?like={charge.public_id}", follow=True).content.decode()
    assert re.findall(r'name="part_\d" value="([^"]+)"', again) == ["12,50", "30,00"]
    assert len(re.findall(rf'<option value="({ana.pk}|{bia.pk})" selected', again)) == 2
    receiving.receive(making.pix(charge))
    assert money(rich) == {"": 9_920 + 9_920 - 4_250, "Ana": 1_250, "Bia": 3_000}
