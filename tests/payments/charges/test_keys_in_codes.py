"""A key in a code as people write it is the same key: paid at the bank, and credited to its company."""

from __future__ import annotations

from typing import Any

import pytest

from payments.models import Company, ReceivedPix
from payments.pix import brcode
from payments.services import companies, reconciliation
from payments.services.charges import receiving
from tests.bank_process import PAYER, BankProcess
from tests.payments import making

pytestmark = pytest.mark.django_db(transaction=True)
WRITTEN = [  # as in a code, as the DICT has it
    ("PIX@LOJA.DEMO.EXAMPLE", "pix@loja.demo.example"),
    ("Caixa@Loja.Demo.Example", "caixa@loja.demo.example"),
    ("529.982.247-25", "52998224725"),
    ("12.345.678/0001-95", "12345678000195"),
    ("+55(11)98765-4321", "+5511987654321"),
    ("7F3C1A2E-5B6D-4C8E-9F01-23456789ABCD", "7f3c1a2e-5b6d-4c8e-9f01-23456789abcd"),
]


def pay(bank: BankProcess, key: str, **fields: Any) -> Any:
    code = brcode.encode(brcode.BrCode("Loja", "Sao Paulo", key=key, value=700, **fields))
    return bank.http.post("/sim/pay", json={"br_code": code, "payer": PAYER})


@pytest.mark.parametrize(("written", "key"), WRITTEN)
def test_paid_at_the_simulator_it_is_credited(bank: BankProcess, written: str, key: str) -> None:
    shop = making.company(pix_key=key)

    answer = pay(bank, written)

    assert answer.status_code == 201, answer.text
    reconciliation.run()
    assert ReceivedPix.objects.get().company == shop
    assert making.balances(shop)["MERCHANT"] == 650


@pytest.mark.parametrize(
    ("written", "key"),
    [
        *WRITTEN,
        ("5511987654321", "+5511987654321"),
        (" 551187654321 ", "+551187654321"),
        ("\u202a+55 11 98765-4321\u202c", "+5511987654321"),
        ("12.abc.345/01de-35", "12ABC34501DE35"),
    ],
)
def test_told_by_a_bank_as_it_was_written_it_is_credited(written: str, key: str) -> None:
    shop, charge = making.company(pix_key=key), making.charge(making.company(pix_key="other@example.com"))
    assert receiving.receive(making.pix(pix_key=written), making.NOW).company == shop  # type: ignore[union-attr]
    other = receiving.receive(making.pix(charge, pix_key=" OTHER@Example.com"), making.NOW)
    assert other is not None
    assert other.outcome == "SETTLED"


@pytest.mark.parametrize("key", ["nobody@example.com", "NOBODY@EXAMPLE.COM", "11144477735", "no-key"])
def test_a_key_that_nobody_has_is_refused_before_it_is_paid(bank: BankProcess, key: str) -> None:
    answer = pay(bank, key)
    assert 400 <= answer.status_code < 500
    assert "chave" in answer.text.lower() or "CodigoInvalido" in answer.text


@pytest.mark.parametrize(("written", "key"), WRITTEN)
def test_a_company_has_its_key_in_the_form_of_the_dict(written: str, key: str) -> None:
    companies.onboard(official_name="A", trade_name="A", tax_id="1" * 14, pix_key=written)
    assert Company.objects.get(tax_id="1" * 14).pix_key == key
