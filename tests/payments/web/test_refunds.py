"""Returning money: how much, "are you sure", once."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import Charge, Company, Refund, User
from payments.selectors import balances
from payments.services.charges import receiving, refunds
from tests.payments import making


def paid_charge(company: Company, value: int = 10_000) -> Charge:
    now = timezone.now()
    charge = making.charge(company, value, created_at=now, expires_at=now + timedelta(hours=1))
    receiving.receive(making.pix(charge, payer_name="Bia Costa", paid_at=now))
    charge.refresh_from_db()
    return charge


@pytest.fixture
def paid(company: Company) -> Charge:
    paid_charge(company)  # another one, so that the balance covers a whole return despite the fee
    return paid_charge(company)


def send(client: Client, charge: Charge, **fields: str) -> Any:
    filled = {"part": "part", "value": "40,00", "comment": "Sorry", "correlation_id": str(uuid.uuid4()), **fields}
    return client.post(f"/charges/{charge.public_id}/refund", filled)


def test_it_asks_before_it_returns(merchant: Client, paid: Charge) -> None:
    page = send(merchant, paid).content.decode().replace("\u00a0", " ")
    assert "Return R$ 40,00?" in page
    assert "Bia Costa" in page
    assert not Refund.objects.exists()


def test_a_part_then_the_rest(merchant: Client, paid: Charge) -> None:
    assert send(merchant, paid, confirmed="on").status_code == 302
    page = merchant.get(f"/charges/{paid.public_id}/refund").content.decode().replace("\u00a0", " ")
    assert "R$ 60,00" in page
    assert send(merchant, paid, part="whole", value="60,00", confirmed="on").status_code == 302
    assert sorted(Refund.objects.values_list("value", flat=True)) == [4_000, 6_000]
    gone = merchant.get(f"/charges/{paid.public_id}/refund", follow=True).content.decode()
    assert "nothing left to return" in gone


def test_who_asked_for_it_is_shown(merchant: Client, paid: Charge, user: User) -> None:
    operator = User.objects.create_user("op@example.com", is_staff=True)
    send(merchant, paid, value="10,00", confirmed="on")
    refunds.request(paid.company, paid, "operator-1", 2_000, maker=operator)
    refunds.request(paid.company, paid, "by-the-api", 3_000)
    assert Refund.objects.get(value=1_000).maker == user
    page = merchant.get(f"/charges/{paid.public_id}").content.decode().replace("\u00a0", " ")
    asked = page.split('id="timeline"')[1].split("Return asked for")[1:]
    told = [
        name for entry in asked for name in ("ana@example.com", "An operator", "op@example.com") if f">{name}<" in entry
    ]
    assert (len(asked), told) == (3, ["ana@example.com", "An operator"]), "a program is nobody, an operator has no name"


def test_what_was_confirmed_is_returned_and_nothing_else(merchant: Client, paid: Charge) -> None:
    page = send(merchant, paid, part="whole", value="").content.decode()
    confirmed = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    refunds.request(paid.company, paid, "meanwhile", 4_000)
    answer = merchant.post(f"/charges/{paid.public_id}/refund", confirmed)  # R$ 100,00, which is no longer left
    assert answer.status_code == 422
    assert Refund.objects.count() == 1
    assert send(merchant, paid, part="whole", value="", confirmed="on").status_code == 422, "no figure was confirmed"
    assert Refund.objects.count() == 1


def test_a_double_click_returns_once(merchant: Client, paid: Charge) -> None:
    same = str(uuid.uuid4())
    for _ in range(2):
        assert send(merchant, paid, correlation_id=same, confirmed="on").status_code == 302
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"value": "100,01"}, "at most"),
        ({"value": ""}, "Type a value."),
        ({"value": "x"}, "12,34"),
        ({"comment": "x" * 141}, "at most 140"),
        ({"part": "nope"}, "valid choice"),
    ],
)
def test_errors_stand_at_their_field(merchant: Client, paid: Charge, fields: dict[str, str], told: str) -> None:
    answer = send(merchant, paid, confirmed="on", **fields)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert not Refund.objects.exists()


@pytest.mark.parametrize("odd", ["", "no-uuid", "a\0b"])
def test_a_broken_form_returns_nothing(merchant: Client, paid: Charge, odd: str) -> None:
    assert send(merchant, paid, confirmed="on", correlation_id=odd).status_code == 422
    assert not Refund.objects.exists()


def test_what_is_available_is_shown_before_it_is_asked(merchant: Client, company: Company) -> None:
    charge = paid_charge(company, 1_000)  # the first sale: R$ 10,00 less the fee
    page = merchant.get(f"/charges/{charge.public_id}/refund").content.decode().replace("\u00a0", " ")
    assert 'id="left">R$ 10,00<' in page
    assert 'id="available">R$ 9,50<' in page
    assert "at most what your balance has" in page
    assert b"Return R$\xc2\xa09,50?" in send(merchant, charge, part="whole", value="").content
    assert "at most R$\u00a09,50" in send(merchant, charge, value="10,00").content.decode()
    assert send(merchant, charge, value="9,50", confirmed="on").status_code == 302
    page = merchant.get(f"/charges/{charge.public_id}/refund").content.decode()
    assert "Your balance has nothing to return." in page
    assert "Continue" not in page


def test_a_balance_that_fell_meanwhile_is_refused_in_words(
    merchant: Client, paid: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = balances.balance(paid.company)
    refunds.request(paid.company, paid, "meanwhile", 10_000)
    other = Charge.objects.exclude(pk=paid.pk).get()
    monkeypatch.setattr(balances, "balance", lambda company: shown)  # as it was when the page asked
    merchant.defaults["HTTP_ACCEPT_LANGUAGE"] = "pt-br"
    answer = send(merchant, other, value="100,00", confirmed="on")
    assert answer.status_code == 422
    assert "Seu saldo é menor que este valor." in answer.content.decode()


def test_what_is_not_paid_cannot_be_returned(merchant: Client, company: Company) -> None:
    waiting = making.charge(company)
    assert send(merchant, waiting, confirmed="on").status_code == 302
    assert not Refund.objects.exists()
