from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from payments.models import Account, Company
from payments.services import companies, ledger
from payments.services.ledger import Line, Posting


def onboard() -> Company:
    unique = uuid.uuid4().hex[:14]
    return companies.onboard(official_name="Loja", trade_name="Loja", tax_id=unique, pix_key=unique)


class Books:
    """One company's ledger, in the few words that the tests need."""

    def __init__(self) -> None:
        self.company = onboard()
        ids = ledger.accounts(self.company.pk)
        self.clearing, self.merchant = ids[Account.Kind.CLEARING], ids[Account.Kind.MERCHANT]
        self.fees, self.suspense = ids[Account.Kind.FEES], ids[Account.Kind.SUSPENSE]

    def paid(self, correlation_id: str, value: int, **fields: object) -> Posting:
        """`value` centavos come in (go out, where negative)."""
        lines = (Line(self.clearing, -value), Line(self.merchant, value))
        return Posting(self.company.pk, "charge", correlation_id, lines, **fields)  # type: ignore[arg-type]

    def hold(self, correlation_id: str, value: int) -> int:
        (held,) = ledger.post(ledger.hold(self.company.pk, correlation_id, "refund", self.merchant, value))
        return held.transaction_id

    def balance(self, account_id: int | None = None) -> tuple[int, int]:
        account = Account.objects.get(pk=account_id or self.merchant)
        return account.posted, account.pending_out


@pytest.fixture
def books(db: None) -> Books:
    return Books()


@pytest.fixture
def another(db: None) -> Callable[[], Books]:
    return Books
