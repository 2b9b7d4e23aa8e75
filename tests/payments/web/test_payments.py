"""Single payments on the pages: whose key it is is shown, one person makes it, another approves it with a code."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Company, Payment, User
from payments.services import payments, pix_key_tokens
from payments.services.charges import receiving
from payments.services.errors import Invalid
from payments.services.payments import PaymentOrder
from tests.payments import making
from tests.payments.web.conftest import PASSWORD
from tests.payments.web.log_in import Owner
from tests.payments.web.test_charges import text

KEY = "ana@exemplo.com"
FORM = {"pix_key": KEY, "value": "40,00", "comment": "Frete"}


@pytest.fixture
def rich(company: Company) -> Company:
    receiving.receive(making.pix(pix_key=company.pix_key, value=10_000))
    return company


@pytest.fixture
def checker(rich: Company) -> Client:
    """Another person of the company, without a second factor yet."""
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(User.objects.create_user("carla@example.com", PASSWORD, company=rich))
    return client


def payment(company: Company, **fields: Any) -> Payment:
    order = PaymentOrder("p1", 4_000, pix_key=KEY, owner={"name": "Ana", "taxID": "1", "bank": "B"})
    return payments.create(company, order, **fields)


def balance(company: Company) -> tuple[int, int]:
    found = company.accounts.get(kind="MERCHANT")
    return found.posted, found.pending_out


@pytest.mark.django_db(transaction=True)
def test_a_payment_is_made_after_its_owner_was_shown(merchant: Client, bank: Any, rich: Company, user: User) -> None:
    form = merchant.get("/payments/new")["Location"]
    shown = merchant.post(form, FORM)
    assert not Payment.objects.exists()
    page = shown.content.decode().replace("\u00a0", " ")
    assert re.search('id="owner"><strong>.+</strong>', page)
    assert "Send R$ 40,00?" in page
    tax_id = page.split("CPF/CNPJ")[1].split("</dd>")[0]
    assert "***" in tax_id or "/" in tax_id, "a person's is masked, a company's is public"
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    tokens = pix_key_tokens.balance(rich).tokens

    made = merchant.post(form, hidden)

    paid = Payment.objects.get()
    assert made["Location"] == f"/payments/{paid.public_id}"
    assert (paid.company, paid.maker, paid.value, paid.pix_key, paid.comment) == (rich, user, 4_000, KEY, "Frete")
    assert (paid.status, paid.end_to_end_id, balance(rich)[1]) == ("CREATED", hidden["end_to_end_id"], 0)
    assert pix_key_tokens.balance(rich).tokens == tokens, "the second step asks the cache"
    assert merchant.post(form, hidden)["Location"] == made["Location"]
    assert Payment.objects.count() == 1
    page = text(merchant, made["Location"])
    assert "Another person of your company" in page
    assert 'id="approve"' not in page
    assert paid.owner
    assert paid.owner["name"] in page
    assert "ana@example.com" in page, "who made it"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"pix_key": "nobody"}, "pix_key", "not a Pix key"),
        ({"pix_key": "ana@ninguem.example"}, "pix_key", "Nobody has this Pix key"),
        ({"pix_key": ""}, "pix_key", "required"),
        ({"value": "12.34"}, "value", "12,34"),
        ({"comment": "x" * 141}, "comment", "at most 140"),
    ],
    ids=str,
)
def test_what_is_wrong_stands_at_its_field(
    merchant: Client, bank: Any, rich: Company, changes: dict[str, str], field: str, told: str
) -> None:
    answer = merchant.post(merchant.get("/payments/new")["Location"], {**FORM, **changes, "confirmed": "on"})
    assert answer.status_code == 422
    assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert not Payment.objects.exists()


def test_another_person_approves_it_with_a_code(merchant: Client, checker: Client, rich: Company, user: User) -> None:
    made = payment(rich, maker=user)
    page = f"/payments/{made.public_id}"

    def approve(client: Client, code: str) -> str:
        answer = client.post(f"{page}/approve", {"code": code}, follow=True)
        return answer.content.decode().replace("\u00a0", " ")

    assert "you need a second factor" in text(checker, page)
    assert "Switch on your second factor first" in approve(checker, "000000")
    other = Owner(User.objects.get(email="carla@example.com"))
    checker.force_login(other.user)
    assert "Approve and send R$ 40,00" in text(checker, page)
    assert "This code is wrong" in approve(checker, "000000")
    assert (Payment.objects.get().status, balance(rich)) == ("CREATED", (9_920, 0))
    mine = Owner(user)
    merchant.force_login(user)
    assert "Who made a payment does not approve it" in approve(merchant, mine.code)
    assert Payment.objects.get().status == "CREATED"

    assert "on its way" in approve(checker, other.code)

    done = Payment.objects.get()
    assert (done.status, done.approver, balance(rich)) == ("APPROVED", other.user, (9_920, 4_000))
    assert "carla@example.com" in text(merchant, page)
    assert "already" in approve(checker, other.recovery[0])
    assert balance(rich) == (9_920, 4_000)


def test_more_than_the_balance_stays_unapproved(checker: Client, company: Company) -> None:
    made = payments.create(company, PaymentOrder("big", 10_000_00, pix_key=KEY))
    other = Owner(User.objects.get(email="carla@example.com"))
    checker.force_login(other.user)
    answer = checker.post(f"/payments/{made.public_id}/approve", {"code": other.code}, follow=True)
    assert "balance is lower than this payment" in answer.content.decode()
    assert Payment.objects.get().status == "CREATED"


def test_the_other_denies_it_with_a_reason_and_the_maker_takes_it_back(
    merchant: Client, checker: Client, rich: Company, user: User
) -> None:
    made = payment(rich, maker=user)
    assert checker.post(f"/payments/{made.public_id}/deny", {"reason": ""}).status_code == 422
    checker.post(f"/payments/{made.public_id}/deny", {"reason": "Valor errado"})
    assert "Valor errado" in text(merchant, f"/payments/{made.public_id}")
    assert Payment.objects.get().status == "DENIED"
    again = payments.create(rich, PaymentOrder("p2", 100, pix_key=KEY), maker=user)
    answer = merchant.post(f"/payments/{again.public_id}/remove", follow=True)
    assert "taken back" in answer.content.decode()
    assert merchant.get(f"/payments/{again.public_id}").status_code == 404


def test_the_database_knows_no_maker_who_approves(rich: Company, user: User) -> None:
    made = payment(rich, maker=user)
    with pytest.raises(IntegrityError, match="payment_maker_is_not_checker"), transaction.atomic():
        Payment.objects.filter(pk=made.pk).update(approver=user)
    stranger = User.objects.create_user("x@example.com", company=making.company())
    with pytest.raises(Invalid, match="another company"):
        payments.approve(rich, "p1", approver=stranger)


def test_the_list_is_filtered_turns_pages_and_costs_no_query_each(
    merchant: Client, rich: Company, user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert "No payments yet" in text(merchant, "/payments")
    for number in range(30):
        payments.create(rich, PaymentOrder(f"order-{number:02d}", 100, pix_key=KEY), maker=user)
    payments.approve(rich, "order-03")
    with django_assert_max_num_queries(7):  # session, person, company, head of its log, payments, the balance, the bell
        page = text(merchant, "/payments")
    seen = re.findall(r"order-\d\d", page)
    older = page.split('href="?status=&amp;before=')[1].split('"')[0]
    seen += re.findall(r"order-\d\d", text(merchant, f"/payments?before={older}"))
    assert seen == [f"order-{number:02d}" for number in reversed(range(30))]
    assert "No payment is in this state" in text(merchant, "/payments?status=CONFIRMED")
    assert "order-03" not in text(merchant, "/payments?status=CREATED")
    text(merchant, "/payments?status=NOPE&before=%00")


def test_a_rival_sees_and_changes_nothing(client: Client, rich: Company, user: User) -> None:
    made = payment(rich, maker=user)
    rival = Owner(User.objects.create_user("rival@example.com", company=making.company()))
    client.force_login(rival.user)
    page = f"/payments/{made.public_id}"
    assert client.get(page).status_code == 404
    for action in ("approve", "deny", "remove"):
        assert client.post(f"{page}/{action}", {"code": rival.code, "reason": "x"}).status_code == 404
    assert KEY not in client.get("/payments").content.decode()
    assert Payment.objects.get().status == "CREATED"
