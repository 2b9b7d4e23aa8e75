"""The key directory, the participants and the platform's account: the port against the real simulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from payments.bank import directory_wire
from payments.bank.directory import BankAccount, KeyOwner
from payments.bank.port import Bank, BankNotFound, BankRefused, BankUnavailable, BankUnknown
from payments.pix import ids
from tests.bank_process import BankProcess
from tests.payments import making

pytestmark = pytest.mark.django_db
ISPB = "54811417"


def look_up(bank: Bank, key: str, payer: str = making.ANA) -> KeyOwner:
    return bank.lookup_key(key, payer, ids.mint("E", ISPB))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("ana@example.com", "EMAIL"),
        ("+5511999991234", "PHONE"),
        (making.BIA, "CPF"),
        ("11222333000181", "CNPJ"),
        ("123e4567-e89b-42d3-a456-426614174000", "EVP"),
    ],
)
def test_a_key_of_each_type_has_an_owner_and_always_the_same(connected: Bank, key: str, kind: str) -> None:
    found = look_up(connected, key)
    assert (found.pix_key, found.key_type, found.fresh_for) == (key, kind, 60)
    assert found.name
    assert len(found.ispb) == 8
    assert found == look_up(connected, key)
    if kind in {"CPF", "CNPJ"}:
        assert found.tax_id == key


def test_nobody_has_it(connected: Bank) -> None:
    with pytest.raises(BankNotFound) as refused:
        look_up(connected, "pix-key-not-found@woovi.com")
    assert refused.value.code == "NotFound"
    assert "woovi.com" not in str(refused.value)


@pytest.mark.parametrize(("key", "code"), [("x@bloqueado.example", "EntryBlocked"), ("not a key", "BadRequest")])
def test_refusals_bear_the_codes_of_the_dict(connected: Bank, key: str, code: str) -> None:
    with pytest.raises(BankRefused) as refused:
        look_up(connected, key)
    assert refused.value.code == code


def test_a_key_of_this_bank_is_not_to_be_asked_for(connected: Bank, pix_key: str) -> None:
    connected.set_callback(pix_key, "http://127.0.0.1:1")
    with pytest.raises(BankRefused) as refused:
        look_up(connected, pix_key)
    assert refused.value.code == "EntryCannotBeQueriedForBookTransfer"


def test_who_asks_for_keys_that_nobody_has_is_stopped_alone(connected: Bank) -> None:
    scanner = "93541134780"
    for number in range(5):  # 20 of a person's 100 tokens each
        with pytest.raises(BankNotFound):
            look_up(connected, f"x{number}@ninguem.example", scanner)
    with pytest.raises(BankUnavailable) as refused:
        look_up(connected, "ana@example.com", scanner)
    assert refused.value.code == "RateLimited"
    assert look_up(connected, "ana@example.com", making.BIA)


def test_the_participants_and_the_account(connected: Bank) -> None:
    found = connected.list_participants()
    assert {"BCO DO BRASIL S.A.", "NU PAGAMENTOS - IP"} <= {each.name for each in found}
    assert {each.compe for each in found if each.ispb == "00000000"} == {"001"}
    assert {each.compe for each in found if each.ispb == ISPB} == {""}
    assert connected.read_account() == BankAccount(
        ISPB, "0001", "0001234567", "CACC", "Loja Demonstração", "11222333000181"
    )


def test_faults_hit_these_reads_too(connected: Bank, bank_process: BankProcess) -> None:
    bank_process.faults(unavailable_percent=100)
    for read in (connected.list_participants, connected.read_account, lambda: look_up(connected, "ana@example.com")):
        with pytest.raises(BankUnavailable):
            read()


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("private, max-age=60", 60),
        ('MAX-AGE="5"', 5),
        ("max-age=999999999", 86_400),
        ("max-age=60, no-store", 0),
        ("no-cache", 0),
        ("max-age=-1", 0),
        ("", 0),
    ],
)
def test_how_long_an_answer_may_be_kept(asked: str, seconds: float) -> None:
    assert directory_wire.fresh_for(asked) == seconds


def test_an_entry_that_cannot_be_read_is_unknown(connected: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in ({}, [], {"Entry": {"Key": "x"}}, {"Entry": {"Key": "ana@example.com", "Account": 1, "Owner": None}}):
        answer = (broken, "max-age=60")
        monkeypatch.setattr("payments.bank.session.Session.read", lambda *_, answer=answer: answer)
        with pytest.raises(BankUnknown):
            look_up(connected, "ana@example.com")


ENTRY: dict[str, Any] = {
    "Key": "ana@example.com",
    "Account": {"Participant": "60701190", "Branch": "0001", "AccountNumber": "123456", "AccountType": "CACC"},
    "Owner": {"TaxIdNumber": "12345678000195", "Name": "Loja", "TradeName": "Loja"},
}
ODD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [  # the part, what is told in it, and what it is read as
    ("Account", {"Branch": None}, {"branch": ""}),
    ("Account", {"Branch": 1}, {"branch": "1"}),
    ("Account", {"Branch": ["1"]}, {"branch": ""}),
    ("Account", {"AccountNumber": 123456}, {}),
    ("Account", {"AccountNumber": "12345-6"}, {}),
    ("Owner", {"TaxIdNumber": "12.345.678/0001-95"}, {}),
    ("Owner", {"TaxIdNumber": 12345678000195}, {}),
    ("Owner", {"TaxIdNumber": "12.ABC.345/01DE-35"}, {"tax_id": "12ABC34501DE35"}),
    ("Owner", {"TaxIdNumber": "***.982.247-**"}, {"tax_id": "***982247**"}),
    ("Owner", {"TradeName": 7}, {"trade_name": "7"}),
    ("Owner", {"TradeName": {}}, {"trade_name": ""}),
    ("Owner", {"Name": " Loja\0 "}, {}),
]


@pytest.mark.parametrize(("part", "told", "read"), ODD, ids=[str(told) for _, told, _ in ODD])
def test_an_entry_is_read_however_its_parts_are_written(part: str, told: dict[str, Any], read: dict[str, Any]) -> None:
    usual = directory_wire.key_owner({"Entry": ENTRY}, "")
    odd = directory_wire.key_owner({"Entry": {**ENTRY, part: {**ENTRY[part], **told}}}, "")
    assert odd == replace(usual, **read)
