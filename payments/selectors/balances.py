"""Balances, read from Redis where that is certain to be up to date, else from the database.

They are only shown, on pages and in the API. Debits are authorised by the database's constraint alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db.models import Sum
from django.utils import timezone

from payments.models import Account, Company
from woovi import statements
from woovi.cache import VersionedCache


@dataclass(frozen=True)
class Balance:
    """Centavos of the merchant's account. `pending` is held for what is under way, `earmarked` set aside in sub-accounts,
    which `total` leaves out."""

    total: int
    pending: int
    earmarked: int = 0

    @property
    def available(self) -> int:
        """Centavos that may be spent."""
        return self.total - self.pending


# Plain SQL: it runs after every write, and the ORM needs a millisecond to build the query.
_READ = """
SELECT a.company_id, a.posted, a.pending_out, coalesce((
    SELECT e.id FROM payments_entry e WHERE e.account_id = a.id ORDER BY e.id DESC LIMIT 1
), 0) FROM payments_account a WHERE a.company_id = ANY($1::bigint[]) AND a.kind = 'MERCHANT' AND a.is_default
"""


def _read(companies: Collection[int]) -> dict[int, tuple[int, tuple[int, int]]]:
    """Version, posted and pending centavos by company id, in one snapshot.

    The version is the id of the account's last entry: ids are drawn under the account's row lock, so in commit order.
    """
    found = statements.fetch(_READ, list(companies))
    return {company: (version, (posted, pending)) for company, posted, pending, version in found}


shown = VersionedCache("balance", _read, staleness="never older than the database; without Redis the database answers")


def balance(company: Company) -> Balance:
    """The balance of the company's MERCHANT account.

    Load `company` anew for each request: its `balance_doubted_until` says when the cache may not be used.
    """
    doubted = company.balance_doubted_until
    read = shown.read_now if doubted and timezone.now() < doubted else shown.get
    return Balance(*read(company.pk))


def of_account(account: Account, company: Company) -> Balance:
    """The balance of one of the company's accounts; of the default one with what its sub-accounts have, read a moment later."""
    if account.kind == Account.Kind.MERCHANT and account.is_default:
        kept = Account.objects.filter(company=company, kind=Account.Kind.SUBACCOUNT)
        return replace(balance(company), earmarked=kept.aggregate(sum=Sum("posted"))["sum"] or 0)
    return Balance(account.posted, account.pending_out)
