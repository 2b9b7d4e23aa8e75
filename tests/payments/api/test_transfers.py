"""Transfers to other companies, and withdrawals of the company's own account."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from payments import checks
from payments.models import Account, Company, LedgerTransaction, Payment, TransferPeriod
from payments.services import accounts, ledger, payments, transfers, withdrawals
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from tests.payments.api.conftest import Merchant
from tests.payments.api.test_subaccounts import ten


@pytest.fixture
def rich(shop: Merchant) -> Merchant:
    """A merchant with 9,920 centavos."""
    receiving.receive(making.pix(pix_key=shop.company.pix_key, value=10_000))
    return shop


def money(shop: Merchant) -> tuple[int, int]:
    account = Account.objects.get(company=shop.company, kind="MERCHANT", is_default=True)
    return account.posted, account.pending_out


def account_id(shop: Merchant) -> str:
    return Account.objects.get(company=shop.company, kind="MERCHANT", is_default=True).public_id


@pytest.mark.django_db
def test_a_further_account_is_opened_and_closed(rich: Merchant, rival: Merchant) -> None:
    opened = rich.post("/api/v1/account", b"")  # Woovi's samples send no body
    assert opened.status_code == 200, opened.content
    further = opened.json()["account"]
    assert (further["isDefault"], further["balance"]["available"]) == (False, 0)
    assert [each["isDefault"] for each in rich.get("/api/v1/account").json()["accounts"]] == [True, False]
    path = f"/api/v1/account/{further['accountId']}"
    assert rival.delete(path).status_code == 404
    assert rich.post(f"{path}/withdraw", {"value": 100}).status_code == 400
    assert rich.delete(path).json() == {"status": "OK", "accountId": further["accountId"]}
    assert (rich.delete(path).json(), rich.delete(path).status_code) == ({"error": "Account already closed"}, 400)
    assert rich.get(path).json() == {"error": "Account not found"}
    full = rich.delete(f"/api/v1/account/{account_id(rich)}")
    assert (full.json(), full.status_code) == ({"error": "Account with balance cannot be deleted"}, 400)
    assert rival.delete(f"/api/v1/account/{account_id(rival)}").json() == {
        "error": "The default account cannot be deleted"
    }
    assert rich.delete("/api/v1/account/x").json() == {"error": "Account ID is invalid"}
    assert rich.known_as().post("/api/v1/account", b"").json() == {"error": "Wrong API type"}
    for _ in range(accounts.MOST - 1):
        assert rich.post("/api/v1/account", b"").status_code == 200
    assert rich.post("/api/v1/account", b"").json() == {"error": "A company may have 20 accounts"}
    assert money(rival) == (0, 0)


@pytest.mark.django_db
def test_nothing_is_paid_into_a_closed_account(rich: Merchant) -> None:
    """By the database, whoever asks."""
    closed = accounts.open_another(rich.company)
    accounts.close(rich.company, closed.public_id)
    line = ledger.Line(Account.objects.get(company=rich.company, is_default=True, kind="MERCHANT").pk, -100)
    with pytest.raises(IntegrityError, match="account_closed_is_empty"), transaction.atomic():
        ledger.post(ledger.Posting(rich.company.pk, "test", "x", (line, ledger.Line(closed.pk, 100))))


def body(rich: Merchant, rival: Merchant, **change: Any) -> dict[str, Any]:
    keys = {"fromPixKey": rich.company.pix_key.upper(), "toPixKey": rival.company.pix_key}
    return {"value": 300, "correlationID": "repasse-1", **keys, **change}


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


@pytest.mark.django_db
def test_a_transfer_arrives_once(rich: Merchant, rival: Merchant) -> None:
    first = rich.post("/api/v1/transfer", body(rich, rival))
    assert first.status_code == 200, first.content
    told = first.json()["transaction"]
    assert (told["value"], told["correlationID"]) == (300, "repasse-1")
    assert rich.post("/api/v1/transfer", body(rich, rival)).json() == first.json()
    assert rich.post("/api/v1/transfer", body(rich, rival, value=301)).status_code == 400
    third = making.company()
    assert rich.post("/api/v1/transfer", body(rich, rival, toPixKey=third.pix_key)).status_code == 400
    assert making.balances(third)["MERCHANT"] == 0, "one debit is one credit"
    assert (money(rich), money(rival)) == ((9_620, 0), (300, 0))
    assert making.balances(rich.company)["CLEARING"] + making.balances(rival.company)["CLEARING"] == -10_000
    # The taker's own transfer under the same id is another one.
    assert rival.post("/api/v1/transfer", body(rival, rich, value=100)).status_code == 200
    assert money(rich) == (9_720, 0)
    assert [line["description"] for line in rich.get("/api/v1/statement").json()][:2] == [
        "Transfer of another account",
        "Transfer to another account",
    ]
    assert differing() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"value": 9_921}, "Account does not have enough balance to complete the operation"),
        ({"value": 0}, "Value must be positive"),
        ({"fromPixKey": "rival"}, "fromPixKey is not the key of your account"),
        ({"toPixKey": "nobody@example.com"}, "toPixKey: no other account here has this key"),
        ({"toPixKey": "own"}, "toPixKey: no other account here has this key"),
        ({"toPixKey": None}, "toPixKey: Field required"),
    ],
)
def test_a_wrong_transfer_moves_nothing(rich: Merchant, rival: Merchant, change: Any, error: str) -> None:
    keys = {"rival": rival.company.pix_key, "own": rich.company.pix_key}
    change = {name: keys.get(value, value) for name, value in change.items()}
    answer = rich.post("/api/v1/transfer", body(rich, rival, **change))
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert (money(rich), money(rival)) == ((9_920, 0), (0, 0))


@pytest.mark.django_db
def test_transfers_count_once_in_the_limits_of_payments_out(rich: Merchant, rival: Merchant) -> None:
    Company.objects.filter(pk=rich.company.pk).update(payment_limit=500, day_limit=600, night_limit=600)
    for _ in range(2):
        assert rich.post("/api/v1/transfer", body(rich, rival)).status_code == 200
    assert rich.post("/api/v1/transfer", body(rich, rival, value=501, correlationID="b")).status_code == 400
    assert rich.post("/api/v1/transfer", body(rich, rival, value=301, correlationID="c")).status_code == 400
    assert rich.post("/api/v1/transfer", body(rich, rival, value=300, correlationID="d")).status_code == 200
    assert TransferPeriod.objects.get(company=rich.company).used == 600
    assert differing() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("correlation_id", ["repasse-1", ""])  # control: without the id each is a transfer
def test_ten_at_once_under_one_id_are_one(rich: Merchant, rival: Merchant, correlation_id: str) -> None:
    keys = rich.company.pix_key, rival.company.pix_key
    made = ten(lambda _: transfers.transfer(rich.company, *keys, 100, correlation_id))
    times = 1 if correlation_id else 10
    assert len({each.pk for each in made}) == times
    assert money(rival) == (100 * times, 0)
    assert LedgerTransaction.objects.filter(kind="transfer").count() == times
    assert differing() == []


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_goes_to_the_companys_own_tax_id(bank: BankProcess, rich: Merchant, rival: Merchant) -> None:
    account = account_id(rich)
    for path in (f"/api/v1/account/{account}/withdraw", f"/api/v1/account/{account}"):
        answer = rich.post(path, {"accountId": account, "value": 7_00, "correlationID": "saque-1"})
        assert answer.status_code == 200, answer.content
    payment = Payment.objects.get()
    told = answer.json()["withdraw"]
    assert told["transaction"] == {"endToEndId": payment.end_to_end_id, "value": 700}
    assert (told["account"]["balance"]["available"], told["account"]["balance"]["blocked"]) == (9_220, 700)
    assert payment.pix_key == rich.company.tax_id
    assert rich.post(path, {"value": 701, "correlationID": "saque-1"}).status_code == 400
    assert rival.post(path, {"value": 700}).json() == {"error": "Account not found"}
    payments.send(payment.pk)
    assert money(rich) == (9_220, 0)
    assert differing() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (100, "value must be at least 101 centavos"),
        (-1, "value must be at least 101 centavos"),
        (9_921, "You do not have enough balance to make this payment"),
    ],
)
def test_a_wrong_withdrawal_leaves_nothing_to_approve(rich: Merchant, value: int, error: str) -> None:
    answer = rich.post(f"/api/v1/account/{account_id(rich)}/withdraw", {"value": value})
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert not Payment.objects.exists()
    assert money(rich) == (9_920, 0)


@pytest.mark.django_db(transaction=True)
def test_ten_withdrawals_under_one_id_are_one(rich: Merchant) -> None:
    made = ten(lambda _: withdrawals.withdraw(rich.company, 200, "saque-1"))
    assert {each.pk for each in made if isinstance(each, Payment)} == {Payment.objects.get().pk}
    assert money(rich) == (9_920, 200)
