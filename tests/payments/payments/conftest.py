from __future__ import annotations

from collections.abc import Callable

import pytest

from payments.models import Account, Company, Payment
from payments.services import payments
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.payments import making


@pytest.fixture
def shop(transactional_db: None) -> Company:
    """A company with 9,900 centavos."""
    made = making.company()
    receiving.receive(making.pix(pix_key=made.pix_key, value=10_000))
    assert money(made) == (9_920, 0)
    return made


@pytest.fixture
def approved(shop: Company) -> Callable[..., Payment]:
    """An approved payment to Ana."""

    def make(correlation_id: str = "pagamento-1", value: int = 400, pix_key: str = "ana@exemplo.com") -> Payment:
        payments.create(shop, PaymentOrder(correlation_id, value, pix_key=pix_key))
        return payments.approve(shop, correlation_id)

    return make


def money(company: Company) -> tuple[int, int]:
    """Centavos of the MERCHANT account: posted, and held."""
    account = Account.objects.get(company=company, kind="MERCHANT")
    return account.posted, account.pending_out
