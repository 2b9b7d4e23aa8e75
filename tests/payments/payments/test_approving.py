"""Creating, approving, denying and removing payments: money is held once, and only of what is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from payments import checks
from payments.models import Company, LedgerTransaction, Payment, PixKeyMovement
from payments.pix import brcode
from payments.services import payments, pix_key_tokens
from payments.services.errors import Duplicate, Invalid, NotFound, ServiceError
from payments.services.payments import PaymentOrder, approving
from tests.payments import making
from tests.payments.payments.conftest import money
from woovi.outbox.models import OutboxEvent

Approved = Callable[..., Payment]


def order(**fields: Any) -> PaymentOrder:
    return PaymentOrder(**{"correlation_id": "a", "value": 100, "pix_key": "ana@exemplo.com", **fields})


def test_nothing_is_held_before_the_approval_and_the_value_after(shop: Company) -> None:
    made = payments.create(shop, order(value=400))
    assert (made.status, money(shop)) == ("CREATED", (9_920, 0))

    made = payments.approve(shop, "a")

    assert (made.status, money(shop)) == ("APPROVED", (9_920, 400))
    assert made.end_to_end_id.startswith("E54811417")
    topics = list(OutboxEvent.objects.filter(payload__payment_id=made.pk).values_list("topic", flat=True))
    assert topics == ["payment.approved", "task:send_payment"]
    assert [finding for finding in checks.run() if finding.count] == []


def test_a_correlation_id_is_used_once_by_each_company(shop: Company) -> None:
    payments.create(shop, order())
    with pytest.raises(Duplicate, match="Já existe um pagamento"):
        payments.create(shop, order())
    assert payments.create(making.company(), order()).status == "CREATED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"value": 0}, "value"),
        ({"value": None}, "value"),
        ({"value": 10**12}, "value"),
        ({"pix_key": "ana"}, "destinationAlias"),
        ({"pix_key": making.ANA, "pix_key_type": "PHONE"}, "destinationAlias"),
        ({"pix_key": "ana@exemplo.com", "pix_key_type": "CPF"}, "destinationAlias"),
        ({"pix_key": "", "qr_code": "0002"}, "qrCode"),
    ],
    ids=str,
)
def test_what_cannot_be_paid(shop: Company, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        payments.create(shop, order(**fields))
    assert refusal.value.field == field
    assert not Payment.objects.exists()


def test_the_companys_own_key_is_refused(shop: Company) -> None:
    with pytest.raises(Invalid, match="own key"):
        payments.create(shop, order(pix_key=shop.pix_key.upper()))


def test_a_code_says_what_it_costs(shop: Company) -> None:
    code = brcode.encode(brcode.BrCode(name="Ana", city="Recife", key="ana@exemplo.com", value=700))
    made = payments.create(shop, order(value=None, pix_key="", qr_code=code))
    assert (made.type, made.value, made.pix_key) == ("QR_CODE", 700, "ana@exemplo.com")
    with pytest.raises(Invalid, match="700"):
        payments.create(shop, order(correlation_id="b", value=701, pix_key="", qr_code=code))


def test_a_code_is_kept_as_the_bank_can_read_it(shop: Company) -> None:
    """Without what a mail adds; and its key is the directory's, so that all payments to one are found together."""
    code = brcode.encode(brcode.BrCode(name="Ana", city="Recife", key="ANA@Exemplo.com", value=700))
    made = payments.create(shop, order(value=None, pix_key="", qr_code=f"\ufeff{code[:76]}\r\n{code[76:]}\u200b"))
    assert (made.qr_code, made.pix_key) == (code, "ana@exemplo.com")


def test_a_code_whose_key_can_be_nobodys_is_refused_before_it_is_paid(shop: Company) -> None:
    code = brcode.encode(brcode.BrCode(name="Ana", city="Recife", key="11144477736", value=700))
    with pytest.raises(Invalid) as refusal:
        payments.create(shop, order(value=None, pix_key="", qr_code=code))
    assert refusal.value.field == "qrCode"


@pytest.mark.parametrize("written", ["5511999991234", " 55 (11) 99999-1234", "55 11 999991234"])
def test_a_phone_needs_no_plus_where_it_is_said_to_be_one(shop: Company, written: str) -> None:
    made = payments.create(shop, order(pix_key=written, pix_key_type="PHONE"))
    assert made.pix_key == "+5511999991234"


def test_more_than_the_balance_stays_created_and_may_be_approved_later(shop: Company) -> None:
    payments.create(shop, order(value=9_921))
    with pytest.raises(Invalid, match="enough balance"):
        payments.approve(shop, "a")
    made = Payment.objects.get()
    assert (made.status, made.hold_id, money(shop)) == ("CREATED", None, (9_920, 0))


@pytest.mark.parametrize(("end", "words"), [("approve", "confirmed"), ("deny", "denied"), ("remove", "not found")])
def test_what_was_decided_stays_decided(shop: Company, end: str, words: str) -> None:
    made = payments.create(shop, order())
    {
        "approve": lambda: payments.approve(shop, "a"),
        "deny": lambda: payments.deny(made, "no"),
        "remove": lambda: payments.remove(made),
    }[end]()
    held = money(shop)
    for again in (lambda: payments.approve(shop, "a"), lambda: payments.deny(made, "x"), lambda: payments.remove(made)):
        with pytest.raises(Invalid, match=words):
            again()
    assert money(shop) == held
    removed = OutboxEvent.objects.filter(topic="OPENPIX:MOVEMENT_REMOVED")
    assert [event.payload["payment"] for event in removed] == ([{"correlationID": "a"}] if end == "remove" else [])


def test_another_companys_payment_is_none(shop: Company) -> None:
    payments.create(shop, order())
    with pytest.raises(NotFound):
        payments.approve(making.company(), "a")


def _at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    def one(number: int) -> Any:
        try:
            return act(number)
        except ServiceError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_many_approvals_at_once_one_holds_the_money(shop: Company) -> None:
    payments.create(shop, order(value=400))
    got = _at_once(8, lambda _: payments.approve(shop, "a"))
    assert sum(isinstance(each, Payment) for each in got) == 1
    assert money(shop) == (9_920, 400)
    assert LedgerTransaction.objects.filter(kind="payment_hold").count() == 1


def test_control_without_the_check_under_the_lock_the_ledger_still_holds_once(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each approval passes, and only the ledger's key keeps the money from being held twice."""
    monkeypatch.setattr(approving, "_refuse_unless_created", lambda payment: None)
    payments.create(shop, order(value=400))
    got = _at_once(4, lambda _: payments.approve(shop, "a"))
    assert sum(isinstance(each, Payment) for each in got) > 1
    assert money(shop) == (9_920, 400)


def test_payments_at_once_never_exceed_the_balance(shop: Company) -> None:
    for number in range(8):
        payments.create(shop, order(correlation_id=str(number), value=2_000))
    got = _at_once(8, lambda number: payments.approve(shop, str(number)))
    assert sum(isinstance(each, Payment) for each in got) == 4
    assert money(shop) == (9_920, 8_000)


def test_an_approval_to_a_key_that_was_looked_up_gives_tokens_back(shop: Company) -> None:
    def movements() -> list[tuple[str, int]]:
        rows = PixKeyMovement.objects.filter(company=shop, operation="ADD")
        return list(rows.values_list("pix_key", "tokens"))

    payments.create(shop, order(correlation_id="unknown"))
    payments.approve(shop, "unknown")
    assert movements() == [], "the key was not looked up"
    key = order().pix_key
    for _ in range(2):  # the bucket is two below its size
        with pix_key_tokens.lookup(shop, key) as asked:
            asked.reason = "DICT_LOOKUP"
    payments.create(shop, order(correlation_id="known"))
    payments.approve(shop, "known")
    with pytest.raises(Invalid):
        payments.approve(shop, "known")
    assert movements() == [(key, 2)]
