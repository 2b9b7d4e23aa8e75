"""Sub-accounts by the API: money set aside, moved once, never below zero, paid out, and seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from payments import checks
from payments.models import Account, Charge, Payment, Subaccount
from payments.services import companies, ledger, payments, subaccounts
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from payments.services.subaccounts import moving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant

KEY, OTHER = "ana@exemplo.com", "+5511999991234"


@pytest.fixture
def rich(shop: Merchant) -> Merchant:
    """A merchant with 9,920 centavos and two sub-accounts."""
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=10_000))
    for key, name in ((KEY, "Ana"), (OTHER, "Bia")):
        opened(shop, key, name)
    return shop


def opened(shop: Merchant, key: str, name: str) -> Subaccount:
    account = Account.objects.create(company=shop.company, kind="SUBACCOUNT", is_default=False)
    return Subaccount.objects.create(company=shop.company, pix_key=key, name=name, account=account)


def balance(shop: Merchant, key: str = KEY) -> int:
    told: int = shop.get(f"/api/v1/subaccount/{key}").json()["SubAccount"]["balance"]
    return told


def main(shop: Merchant) -> dict[str, int]:
    told: dict[str, int] = shop.get("/api/v1/account").json()["accounts"][0]["balance"]
    return {name: told[name] for name in ("total", "blocked", "available")}


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


@pytest.mark.django_db
def test_money_is_set_aside_moved_and_given_back(rich: Merchant) -> None:
    answer = rich.post(f"/api/v1/subaccount/{KEY}/credit", {"value": "600", "description": "Comissão"})
    assert answer.json() == {
        "pixKey": KEY,
        "value": 600,
        "description": "Comissão",
        "success": "Sub-account withdrawal has been successfully credited, 600",
    }
    assert main(rich) == {"total": 9_920, "blocked": 600, "available": 9_320}

    body = {"value": 250, "fromPixKey": KEY, "fromPixKeyType": "EMAIL", "toPixKey": OTHER, "toPixKeyType": "PHONE"}
    moved = rich.post("/api/v1/subaccount/transfer", body).json()
    assert (moved["value"], moved["originSubaccount"]["balance"], moved["destinationSubaccount"]["balance"]) == (
        250,
        350,
        250,
    )

    assert rich.post(f"/api/v1/subaccount/{KEY}/debit", {"value": 50}).status_code == 200
    assert (balance(rich), balance(rich, OTHER)) == (300, 250)
    assert main(rich) == {"total": 9_920, "blocked": 550, "available": 9_370}

    lines = rich.get(f"/api/v1/subaccount/{KEY}/statement").json()
    assert [(line["operationType"], line["type"], line["value"], line["balance"]) for line in lines] == [
        ("DEBIT", "DEBIT", 50, 300),
        ("TRANSFER_DEBIT", "DEBIT", 250, 350),
        ("CREDIT", "CREDIT", 600, 600),
    ]
    assert lines[2]["description"] == "Comissão"
    assert rich.get(f"/api/v1/subaccount/{OTHER}/statement").json()[0]["operationType"] == "TRANSFER_CREDIT"
    assert rich.get("/api/v1/statement").json()[0]["balance"] == 9_370
    assert differing() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        (f"{KEY}/credit", {"value": 9_921}, "Not enough balance"),
        (f"{KEY}/credit", {"value": 0}, "Value must be positive"),
        (f"{KEY}/credit", {"value": -5}, "Value must be positive"),
        (f"{KEY}/credit", {"value": True}, "value: Input should be a valid integer"),
        (f"{KEY}/credit", {}, "value: Field required"),
        (f"{KEY}/debit", {"value": 1}, "Transfer just work with subaccount with balance"),
        (f"{OTHER}/debit", {"value": 101}, "Account does not have enough balance to complete the operation"),
        (f"{OTHER}/withdraw", {"value": 101}, "Account does not have enough balance to complete the operation"),
        (f"{OTHER}/withdraw", {"value": 0}, "Value must be positive"),
        (f"{KEY}/withdraw", {}, "Transfer just work with subaccount with balance"),
        ("nobody@x.com/credit", {"value": 1}, "Subaccount not found: nobody@x.com"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_moves(rich: Merchant, path: str, body: Any, error: str) -> None:
    subaccounts.credit(rich.company, OTHER, 100)
    before = making.balances(rich.company)
    answer = rich.post(f"/api/v1/subaccount/{path}", body)
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert making.balances(rich.company) == before
    assert not Payment.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"toPixKey": KEY, "toPixKeyType": "EMAIL"}, "toPixKey must be another subaccount's"),
        ({"fromPixKeyType": "CPF"}, "fromPixKey is no key of type CPF"),
        ({"toPixKey": "x y", "toPixKeyType": "EMAIL"}, "toPixKey is not a Pix key"),
        ({"value": 601}, "Account does not have enough balance to complete the operation"),
    ],
)
def test_a_wrong_transfer_is_refused(rich: Merchant, change: Any, error: str) -> None:
    subaccounts.credit(rich.company, KEY, 600)
    body = {"value": 250, "fromPixKey": KEY, "fromPixKeyType": "EMAIL", "toPixKey": OTHER, "toPixKeyType": "PHONE"}
    answer = rich.post("/api/v1/subaccount/transfer", {**body, **change})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert (balance(rich), balance(rich, OTHER)) == (600, 0)


@pytest.mark.django_db
def test_one_with_money_is_not_deleted_and_a_deleted_one_opens_with_its_past(rich: Merchant) -> None:
    subaccounts.credit(rich.company, KEY, 600)
    path = f"/api/v1/subaccount/{KEY}"
    assert rich.delete(path).json() == {"error": "Only subaccount without balance can be removed"}
    subaccounts.debit(rich.company, KEY, 600)
    assert rich.delete(path).json() == {"status": "OK", "pixKey": KEY}
    assert rich.get(path).json() == {"error": f"Subaccount not found: {KEY}"}
    assert rich.post(f"{path}/credit", {"value": 1}).status_code == 400
    listed = rich.get("/api/v1/subaccount").json()
    assert [each["pixKey"] for each in listed["subAccounts"]] == [OTHER]
    assert listed["subaccounts"] == listed["subAccounts"]
    assert listed["pageInfo"]["totalCount"] == 1
    assert differing() == []


@pytest.mark.django_db
def test_a_rival_has_its_own_of_the_same_key(rich: Merchant, rival: Merchant) -> None:
    subaccounts.credit(rich.company, KEY, 600)
    for path in ("", "/statement"):
        assert rival.get(f"/api/v1/subaccount/{KEY}{path}").json() == {"error": f"Subaccount not found: {KEY}"}
    for path in ("/debit", "/credit", "/withdraw"):
        assert rival.post(f"/api/v1/subaccount/{KEY}{path}", {"value": 1}).status_code == 400
    assert rival.delete(f"/api/v1/subaccount/{KEY}").status_code == 400
    opened(rival, KEY, "Outra")
    body = {"value": 1, "fromPixKey": KEY, "fromPixKeyType": "EMAIL", "toPixKey": OTHER, "toPixKeyType": "PHONE"}
    assert rival.post("/api/v1/subaccount/transfer", body).json() == {"error": f"Subaccount not found: {OTHER}"}
    assert (balance(rich), balance(rival)) == (600, 0)


@pytest.mark.django_db(transaction=True)
def test_opening_asks_the_directory_once(bank: BankProcess, shop: Merchant) -> None:
    body = {"pixKey": "bia@exemplo.com", "name": "Bia"}
    made = shop.post("/api/v1/subaccount", body)
    assert made.json() == {
        "SubAccount": {"name": "Bia", "pixKey": "bia@exemplo.com", "balance": 0, "withdrawBlocked": False}
    }, made.content
    assert shop.post("/api/v1/subaccount", {**body, "name": "Other"}).json() == made.json()
    assert shop.post("/api/v1/subaccount", {"pixKey": "pix-key-not-found@woovi.com", "name": "X"}).status_code == 400
    assert shop.post("/api/v1/subaccount", {"pixKey": "x y", "name": "X"}).status_code == 400
    own = shop.post("/api/v1/subaccount", {"pixKey": shop.company.pix_key, "name": "X"})
    assert own.json() == {"error": "pixKey is the key of the account itself"}
    subaccounts.close(shop.company, "bia@exemplo.com")
    assert shop.post("/api/v1/subaccount", {**body, "name": "Again"}).json()["SubAccount"]["name"] == "Again"
    assert Subaccount.objects.count() == 1
    assert Account.objects.filter(kind="SUBACCOUNT").count() == 1
    assert differing() == []


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_is_paid_out_of_the_sub_account(bank: BankProcess, rich: Merchant) -> None:
    subaccounts.credit(rich.company, KEY, 600)
    path = f"/api/v1/subaccount/{KEY}/withdraw"
    first = rich.post(path, {"value": 200, "correlationID": "saque-1"}).json()
    payment = Payment.objects.get()
    assert first["transaction"] == first["withdraw"]["account"] == {
        "status": "CREATED", "value": 200, "endToEndId": payment.end_to_end_id, "correlationID": "saque-1",
        "destinationAlias": KEY, "comment": "Saque da subconta Ana",
    }  # fmt: skip
    assert rich.post(path, {"correlationID": "saque-1"}).json() == first
    assert rich.post(path, {"correlationID": "saque-1", "value": 201}).status_code == 400
    waiting = PaymentOrder("saque-2", 200, pix_key=KEY, source_id=payment.source_id)
    payments.write(rich.company, waiting)  # as a person asks for one: it may never be approved
    assert "another payment" in rich.post(path, {"correlationID": "saque-2"}).json()["error"]
    assert balance(rich) == 400
    assert payments.send(payment.pk).status == "CONFIRMED"
    assert main(rich) == {"total": 9_720, "blocked": 400, "available": 9_320}
    assert rich.get(f"/api/v1/subaccount/{KEY}/statement").json()[0]["operationType"] == "WITHDRAWAL"
    assert rich.post(path, {}).json()["transaction"]["value"] == 400  # without a value: all
    assert differing() == []


@pytest.mark.django_db(transaction=True)
def test_a_key_that_nobody_has_blocks_withdrawals_and_nothing_else(bank: BankProcess, rich: Merchant) -> None:
    key = "pix-key-not-found@woovi.com"
    opened(rich, key, "Ninguém")
    subaccounts.credit(rich.company, key, 600)
    made = subaccounts.withdraw(rich.company, key, 100)

    assert payments.send(made.pk).status == "FAILED"

    told = rich.get(f"/api/v1/subaccount/{key}").json()["SubAccount"]
    assert (told["withdrawBlocked"], told["balance"]) == (True, 600)
    assert rich.post(f"/api/v1/subaccount/{key}/withdraw", {}).status_code == 400
    assert rich.post(f"/api/v1/subaccount/{key}/debit", {"value": 600}).status_code == 200
    assert differing() == []


@pytest.mark.django_db(transaction=True)
def test_a_charge_is_created_with_splits_and_paid(bank: BankProcess, rich: Merchant, rival: Merchant) -> None:
    splits = [
        {"value": "100", "pixKey": KEY, "splitType": "split_sub_account"},
        {"value": 50, "pixKey": rival.company.pix_key, "type": "SPLIT_PARTNER"},  # as some of Woovi's pages write it
        {"value": 25, "pixKey": rival.company.pix_key},
    ]
    made = rich.post("/api/v1/charge", {"correlationID": "1", "value": 1000, "splits": splits}).json()["charge"]
    assert [(part["value"], part["splitType"]) for part in made["splits"]] == [
        (100, "SPLIT_SUB_ACCOUNT"),
        (50, "SPLIT_PARTNER"),
        (25, "SPLIT_INTERNAL_TRANSFER"),
    ]
    whole = rich.post("/api/v1/charge", {"correlationID": "2", "value": 1000, "subaccount": KEY}).json()["charge"]
    assert whole["subaccount"] == {"name": "Ana", "pixKey": KEY}
    for charge in Charge.objects.filter(company=rich.company):
        receiving.receive(making.pix(charge, paid_at=charge.created_at))
    assert (balance(rich), making.balances(rival.company)["MERCHANT"]) == (1_050, 75)
    assert [line["description"] for line in rich.get(f"/api/v1/subaccount/{KEY}/statement").json()] == [
        "Split to a sub-account",
        "Split to a sub-account",
    ]
    assert differing() == []


def ten(do: Callable[[int], Any]) -> list[Any]:
    """The results of ten calls at once: what they return, or the exception."""

    def one(number: int) -> Any:
        try:
            return do(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(one, range(10)))


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_take_no_more_than_there_is(rich: Merchant) -> None:
    company = rich.company
    subaccounts.credit(company, KEY, 600)
    took = ten(lambda number: (subaccounts.debit, subaccounts.withdraw)[number % 2](company, KEY, 250))
    assert len([each for each in took if not isinstance(each, Exception)]) == 2
    assert balance(rich) == 100
    assert differing() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protected", [True, False])
def test_ten_at_once_under_one_id_are_one_movement(
    rich: Merchant, protected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = rich.company
    if not protected:  # control: without the id each request is a movement
        monkeypatch.setattr(
            moving,
            "Posting",
            lambda *given, **named: ledger.Posting(given[0], given[1], making.end_to_end_id(), *given[3:], **named),
        )
    done = ten(lambda _: subaccounts.credit(company, KEY, 100, "once", "repasse-1"))
    assert [each for each in done if isinstance(each, Exception)] == []
    assert balance(rich) == (100 if protected else 1_000)
    if protected:
        assert (
            rich.post(f"/api/v1/subaccount/{KEY}/credit", {"value": 99, "correlationID": "repasse-1"}).status_code
            == 400
        )
    assert differing() == []


@pytest.mark.django_db(transaction=True)
def test_ten_withdrawals_under_one_id_are_one(rich: Merchant) -> None:
    company = rich.company
    subaccounts.credit(company, KEY, 600)
    made = ten(lambda _: subaccounts.withdraw(company, KEY, 100, "saque-1"))
    assert {each.pk for each in made} == {Payment.objects.get().pk}
    assert balance(rich) == 500


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("UPDATE payments_subaccount SET company_id = %(other)s", "a sub-account has a ledger account"),
        ("UPDATE payments_payment SET source_id = NULL", "a payment is paid by the account that it names"),
        ("UPDATE payments_ledgertransaction SET kind = 'subaccount_debit'", "what is set aside is the company's own"),
        ("UPDATE payments_ledgertransaction SET kind = 'gift'", "a sub-account's money moves by what is known"),
    ],
)
def test_the_checks_find_what_is_wrong(rich: Merchant, rival: Merchant, wrong: str, named: str) -> None:
    from django.db import connection

    subaccounts.credit(rich.company, KEY, 600)
    subaccounts.withdraw(rich.company, KEY, 100)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(wrong, {"other": rival.company.pk})
    assert [name for name in differing() if name.startswith(named)]


def test_nobody_closes_what_is_credited_meanwhile(db: None, shop: Merchant) -> None:
    """The key of a sub-account is found in the form in which the DICT has it."""
    opened(shop, OTHER, "Bia")
    assert subaccounts.find(shop.company, "+55 (11) 99999-1234").pix_key == companies.dict_key(OTHER)
