"""A payment's key is looked up before it is created: what nobody has is refused, and what nobody answers is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from payments.models import Company, Payment, PixKeyMovement
from payments.services import payments
from payments.services.errors import Invalid, TooMany
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.payments import making


def create(company: Company, pix_key: str, correlation_id: str = "a", end_to_end_id: str = "") -> Payment:
    return payments.create(company, PaymentOrder(correlation_id, 100, pix_key=pix_key, end_to_end_id=end_to_end_id))


def spent(company: Company) -> list[tuple[str, int]]:
    rows = PixKeyMovement.objects.filter(company=company, operation="REMOVE")
    return list(rows.order_by("id").values_list("reason", "tokens"))


@pytest.mark.parametrize(
    ("key", "words", "cost"),
    [
        ("ana@ninguem.example", "a Pix key that nobody has", ("NOT_FOUND_PIX_KEY", 20)),
        ("ana@bloqueado.example", "suspected of fraud", ("INVALID_PIX_KEY", 20)),
    ],
)
def test_a_key_that_nobody_has_or_that_is_blocked_is_refused(
    bank: BankProcess, shop: Company, key: str, words: str, cost: tuple[str, int]
) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        create(shop, key)
    assert refusal.value.field == "destinationAlias"
    assert (spent(shop), Payment.objects.count()) == ([cost], 0)


def test_a_key_is_looked_up_once_for_many_payments(bank: BankProcess, shop: Company) -> None:
    create(shop, "ana@exemplo.com", "a")
    create(shop, "ana@exemplo.com", "b")
    assert spent(shop) == [("DICT_LOOKUP", 1)]


def test_a_company_that_looked_the_key_up_itself_pays_no_second_time(bank: BankProcess, shop: Company) -> None:
    create(shop, "ana@ninguem.example", end_to_end_id=making.end_to_end_id())
    assert (spent(shop), Payment.objects.get().status) == ([], "CREATED")


def test_a_key_of_this_platform_costs_nothing(bank: BankProcess, shop: Company) -> None:
    create(shop, making.company().pix_key)
    assert (spent(shop), Payment.objects.get().status) == ([], "CREATED")


def test_without_a_directory_the_bank_decides(bank: BankProcess, shop: Company) -> None:
    bank.faults(unavailable_percent=100)
    create(shop, "ana@ninguem.example")
    assert (spent(shop), Payment.objects.get().status) == ([], "CREATED")


def test_without_tokens_no_payment_to_a_new_key_is_created(
    bank: BankProcess, shop: Company, use_up_tokens: Callable[[Company], None]
) -> None:
    create(shop, "ana@exemplo.com", "known")
    use_up_tokens(shop)
    with pytest.raises(TooMany) as refusal:
        create(shop, "bia@exemplo.com")
    assert refusal.value.retry_after > 0
    create(shop, "ana@exemplo.com", "known too")
    assert Payment.objects.count() == 2
