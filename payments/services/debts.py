"""What a company owes the platform: money that the bank took back when the balance no longer covered it.

The debt is on a RECEIVABLE account, which may go negative, and is paid from the next credits. A bank's return after
fraud (MED) does the same where a balance is too low.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction

from payments.models import Account
from payments.services import ledger
from payments.services.ledger import Event, Line, Posting

RECEIVABLE = Account.Kind.RECEIVABLE


def receivable(company_id: int) -> int:
    """The id of the company's RECEIVABLE account, which is opened with its first debt."""
    return Account.objects.get_or_create(
        company_id=company_id, kind=RECEIVABLE, is_default=True, defaults={"may_go_negative": True}
    )[0].pk


def locked(accounts: Iterable[int]) -> dict[int, Account]:
    """The accounts by id, locked in the ledger's order, so that their balances hold until the caller posts."""
    rows = Account.objects.select_for_update(no_key=True).filter(pk__in=list(accounts)).order_by("pk")
    return {account.pk: account for account in rows}


def collect() -> int:
    """Pay what companies owe from their balances, as far as these go. Returns the centavos paid.

    Running twice at once does no harm: both balances are read under their locks.
    """
    owing = Account.objects.filter(kind=RECEIVABLE, posted__lt=0)
    return sum(_collect(*row) for row in owing.values_list("company_id", "pk"))


def _collect(company_id: int, owed_id: int) -> int:
    merchant_id = ledger.accounts(company_id)[Account.Kind.MERCHANT]
    with transaction.atomic():
        rows = locked([merchant_id, owed_id])
        value = min(-rows[owed_id].posted, rows[merchant_id].available)
        if value <= 0:
            return 0
        lines = (Line(merchant_id, -value), Line(owed_id, value))
        event = Event("debt.collected", {"value": value})  # refreshes the company's pages
        ledger.post(Posting(company_id, "debt_collected", str(uuid.uuid4()), lines, events=(event,)))
        return value
