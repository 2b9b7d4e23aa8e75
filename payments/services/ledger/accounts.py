"""The accounts of a company."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from payments.models import Account
from payments.services.ledger.postings import UnknownAccount


@lru_cache(maxsize=100_000)
def accounts(company_id: int) -> Mapping[Account.Kind, int]:
    """Ids of the company's default accounts, by kind. They never change, so each process reads them once.

    Raises:
        UnknownAccount: the company has none.
    """
    rows = Account.objects.filter(company_id=company_id, is_default=True).values_list("kind", "id")
    found = {Account.Kind(kind): pk for kind, pk in rows}
    if not found:
        raise UnknownAccount(f"company {company_id} has no accounts")
    return MappingProxyType(found)
