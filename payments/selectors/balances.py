"""What a company has. Served from Redis where it is surely what the database says, else by the database.

Shown to pages and API, and nothing more: a debit is authorised by the database's own constraint alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import BigIntegerField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from payments.models import Account, Company, Entry
from woovi.cache import VersionedCache


@dataclass(frozen=True)
class Balance:
    """Centavos of the merchant's account. `pending` is held for what is under way."""

    total: int
    pending: int

    @property
    def available(self) -> int:
        """Centavos that may be spent."""
        return self.total - self.pending


def _read(companies: Collection[int]) -> dict[int, tuple[int, tuple[int, int]]]:
    """Version, posted and pending, of one moment, by company.

    An account's last entry is its version: entries are numbered under the account's row lock, so in the order of their
    commits.
    """
    last = Entry.objects.filter(account=OuterRef("pk")).order_by("-id").values("id")[:1]
    version = Coalesce(Subquery(last), Value(0), output_field=BigIntegerField())
    own = Account.objects.filter(company__in=companies, kind=Account.Kind.MERCHANT, is_default=True)
    rows = own.values_list("company", version, "posted", "pending_out")
    return {company: (number, (posted, pending)) for company, number, posted, pending in rows}


shown = VersionedCache("balance", _read, staleness="never older than the database; without Redis the database answers")


def balance(company: Company) -> Balance:
    """The balance of the company's own account. `company` is to be read anew for each request: it carries the doubt."""
    doubted = company.balance_doubted_until
    read = shown.read_now if doubted and timezone.now() < doubted else shown.get
    return Balance(*read(company.pk))


def of(account: Account, company: Company) -> Balance:
    """The balance of one of the company's accounts."""
    if account.kind == Account.Kind.MERCHANT and account.is_default:
        return balance(company)
    return Balance(account.posted, account.pending_out)
