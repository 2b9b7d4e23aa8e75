"""What a company has."""

from __future__ import annotations

from dataclasses import dataclass

from payments.models import Account, Company


@dataclass(frozen=True)
class Balance:
    """Centavos of the merchant's account. `pending` is held for what is under way."""

    total: int
    pending: int
    available: int


def balance(company: Company) -> Balance:
    account = Account.objects.get(company=company, kind=Account.Kind.MERCHANT, is_default=True)
    return Balance(account.posted, account.pending_out, account.available)
