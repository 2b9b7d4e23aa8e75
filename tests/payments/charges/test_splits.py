"""Parts of a charge that go to others: booked once with the payment, as asked, and never taken back by a refund."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from payments import checks, contract
from payments.bank.port import BankReturn, ReturnStatus
from payments.models import Account, Charge, Company, LedgerTransaction, ReceivedPix, Refund, Subaccount
from payments.services import subaccounts
from payments.services.charges import Split, receiving, refunds, returning, splits
from payments.services.errors import Invalid
from tests.payments import making

pytestmark = pytest.mark.django_db
KEY = "ana@exemplo.com"
SUB, TRANSFER, PARTNER = splits.SUB_ACCOUNT, splits.INTERNAL_TRANSFER, splits.PARTNER


@pytest.fixture
def shop() -> Company:
    company = making.company()
    account = Account.objects.create(company=company, kind="SUBACCOUNT", is_default=False)
    Subaccount.objects.create(company=company, pix_key=KEY, name="Ana", account=account)
    return company


@pytest.fixture
def other() -> Company:
    return making.company()


@pytest.fixture
def split(shop: Company, other: Company) -> Callable[..., Charge]:
    """A charge of 1,000 centavos, whose fee is 50, with a split of each kind or with those that are given."""

    def make(*parts: Split, subaccount: str = "") -> Charge:
        wanted = parts or (Split(100, KEY, SUB), Split(200, other.pix_key), Split(50, other.pix_key, PARTNER))
        return making.charge(shop, 1000, splits=splits.resolved(shop, () if subaccount else wanted, subaccount, 950))

    return make


def pay(charge: Charge, **fields: Any) -> Charge:
    receiving.receive(making.pix(charge, **fields), making.NOW)
    return Charge.objects.get(pk=charge.pk)


def differing() -> list[str]:
    return [finding.name for finding in checks.run() if finding.count]


def test_each_part_arrives_once_with_the_payment(shop: Company, other: Company, split: Callable[..., Charge]) -> None:
    charge = split()
    pix = making.pix(charge)
    for _ in range(2):
        receiving.receive(pix, making.NOW)

    assert making.balances(shop) == {
        "MERCHANT": 600, "SUBACCOUNT": 100, "FEES": 50, "CLEARING": -750, "SUSPENSE": 0,
    }  # fmt: skip
    assert making.balances(other) == {"MERCHANT": 250, "CLEARING": -250, "FEES": 0, "SUSPENSE": 0}
    written = LedgerTransaction.objects.values_list("created_at", "kind")
    assert len({at for at, _ in written}) == 1  # one transaction of the database
    assert sorted(kind for _, kind in written) == [
        "pix_in", "split_partner", "split_partner_in", "split_subaccount", "split_transfer", "split_transfer_in",
    ]  # fmt: skip
    assert differing() == []
    assert contract.charge(charge, shop)["splits"] == [
        {"value": 100, "pixKey": KEY, "splitType": SUB},
        {"value": 200, "pixKey": other.pix_key, "splitType": TRANSFER},
        {"value": 50, "pixKey": other.pix_key, "splitType": PARTNER},
    ]


def test_a_sub_account_gets_all_but_the_fee(shop: Company, split: Callable[..., Charge]) -> None:
    charge = pay(split(subaccount=KEY))
    assert (making.balances(shop)["MERCHANT"], making.balances(shop)["SUBACCOUNT"]) == (0, 950)
    shown = contract.charge(charge, shop)
    assert shown["subaccount"] == {"name": "Ana", "pixKey": KEY}
    assert "splits" not in shown
    assert differing() == []


def test_also_of_what_a_late_payer_adds(shop: Company, split: Callable[..., Charge]) -> None:
    charge = split(subaccount=KEY)
    late = ReceivedPix(company=shop, charge=charge, value=1_120, fee=50, end_to_end_id="E" * 32)
    (posting,) = splits.postings(late, charge)
    assert [line.amount for line in posting.lines] == [-1_070, 1_070]


def test_what_is_returned_is_not_split(shop: Company, other: Company, split: Callable[..., Charge]) -> None:
    charge = split()
    pay(charge, value=999)
    assert making.balances(other)["MERCHANT"] == making.balances(shop)["SUBACCOUNT"] == 0
    assert differing() == []


def test_less_than_the_charge_pays_the_parts_in_their_order(
    shop: Company, other: Company, split: Callable[..., Charge]
) -> None:
    """As a discount will: what a Pix does not cover, the last parts lack, and the Pix is booked all the same."""
    charge = split(Split(900, KEY, SUB), Split(50, other.pix_key))
    Charge.objects.filter(pk=charge.pk).update(value=960)
    charge.value = 960
    pay(charge)
    assert making.balances(shop)["SUBACCOUNT"] == 900
    assert making.balances(other)["MERCHANT"] == 10
    assert differing() == []


@pytest.mark.parametrize(
    ("parts", "subaccount", "left", "error"),
    [
        ((Split(600, KEY, SUB), Split(351, KEY, SUB)), "", 950, "splits must be at most 950 centavos in all"),
        ((Split(1, "nobody@x.com", SUB),), "", 950, "splits.0.pixKey: Subaccount not found: nobody@x.com"),
        ((Split(1, KEY, SUB), Split(1, KEY)), "", 950, "splits.1.pixKey: no other account here has this key"),
        ((Split(1, "nobody@x.com", PARTNER),), "", 950, "splits.0.pixKey: no other account here"),
        ((Split(1, "a\0", PARTNER),), "", 950, "splits.0.pixKey: no other account here"),
        ((Split(1, "a\0", SUB),), "", 950, "splits.0.pixKey: Subaccount not found"),
        ((Split(1, KEY, SUB),), KEY, 950, "subaccount and splits exclude each other"),
        ((), "nobody@x.com", 950, "subaccount: Subaccount not found"),
        ((), KEY, 0, "value must be more than the fee"),
    ],
)
def test_a_wrong_split_is_refused(shop: Company, parts: Any, subaccount: str, left: int, error: str) -> None:
    with pytest.raises(Invalid) as refused:
        splits.resolved(shop, parts, subaccount, left)
    assert refused.value.message.startswith(error)


def test_a_company_does_not_split_to_itself_nor_to_a_rivals_sub_account(shop: Company, other: Company) -> None:
    for company, part in ((shop, Split(1, shop.pix_key)), (other, Split(1, KEY, SUB))):
        with pytest.raises(Invalid):
            splits.resolved(company, (part,), "", 950)


def test_a_refund_is_the_companys_alone(shop: Company, other: Company, split: Callable[..., Charge]) -> None:
    charge = pay(split())
    assert charge.paid_at
    with pytest.raises(Invalid, match="more than the balance has available"):
        refunds.request(shop, charge, "all", 1000, now=charge.paid_at)
    subaccounts.debit(shop, KEY, 100)
    made = refunds.request(shop, charge, "part", 700, now=charge.paid_at)
    returning.resolve(made.pk, BankReturn(made.return_id, "D1", 700, ReturnStatus.DONE), making.NOW)
    assert making.balances(shop)["MERCHANT"] == 0
    assert making.balances(other)["MERCHANT"] == 250
    assert differing() == []


def test_the_banks_own_return_is_the_companys_debt(shop: Company, other: Company, split: Callable[..., Charge]) -> None:
    charge = pay(split())
    end_to_end_id = charge.received.get().end_to_end_id
    returning.note_returns(
        end_to_end_id, (BankReturn("med1", "D1", 1000, ReturnStatus.DONE, nature="MED"),), making.NOW
    )
    assert Refund.objects.get().status == "CONFIRMED"
    assert making.balances(shop)["MERCHANT"] == 0
    assert making.balances(shop)["RECEIVABLE"] == -400
    assert (making.balances(shop)["SUBACCOUNT"], making.balances(other)["MERCHANT"]) == (100, 250)
    assert differing() == []


def test_a_part_for_a_closed_sub_account_waits_in_it(shop: Company, split: Callable[..., Charge]) -> None:
    charge = split()
    subaccounts.close(shop, KEY)
    pay(charge)
    assert making.balances(shop)["SUBACCOUNT"] == 100
    assert differing() == []


def test_the_banks_balance_is_the_same_whoever_has_the_money(split: Callable[..., Charge]) -> None:
    """Whole days are compared with the sum of the CLEARING accounts."""
    pay(split())
    assert sum(Account.objects.filter(kind="CLEARING").values_list("posted", flat=True)) == -1000


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (
            "UPDATE payments_charge SET splits = jsonb_set(splits, '{0,value}', '99')",
            "a paid charge's splits are booked",
        ),
        ("UPDATE payments_charge SET splits = NULL", "a paid charge's splits are booked"),
        ("UPDATE payments_charge SET splits = jsonb_set(splits, '{1,account}', '1')", "a split goes to the account"),
        ("DELETE FROM payments_ledgertransaction WHERE kind = 'split_transfer'", "a paid charge's splits are booked"),
        ("DELETE FROM payments_ledgertransaction WHERE kind = 'split_transfer_in'", "what one company gives another"),
    ],
)
def test_the_checks_find_what_is_wrong(split: Callable[..., Charge], wrong: str, named: str) -> None:
    pay(split())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(wrong)
    assert [name for name in differing() if name.startswith(named)]
