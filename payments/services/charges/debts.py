"""What a company owes the platform: money that the bank took back and that its balance no longer had.

It stands on an account of its own that may go negative, and is paid out of whatever comes in next, as a bank's return
of fraud (MED) takes later credits where the balance is not enough.
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
    """The account of what the company owes, opened with its first debt."""
    return Account.objects.get_or_create(
        company_id=company_id, kind=RECEIVABLE, is_default=True, defaults={"may_go_negative": True}
    )[0].pk


def locked(accounts: Iterable[int]) -> dict[int, Account]:
    """The accounts, locked in the ledger's own order, so that what is seen is there when it is posted."""
    rows = Account.objects.select_for_update(no_key=True).filter(pk__in=list(accounts)).order_by("pk")
    return {account.pk: account for account in rows}


def collect() -> int:
    """Let companies pay what they owe, as far as their balance goes. Returns the centavos that were paid.

    Doubled or at once it does no harm: each reads both balances under their locks.
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
        told = Event("debt.collected", {"value": value})  # wakes the company's pages
        ledger.post(Posting(company_id, "debt_collected", str(uuid.uuid4()), lines, events=(told,)))
        return value
