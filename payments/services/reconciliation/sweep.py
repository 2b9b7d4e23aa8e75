"""The regular sweep (task `payments.reconcile`): debts, unfinished charges and removals of keys, the bank's list, expiry."""

from __future__ import annotations

from datetime import datetime

from payments.services import debts, own_keys
from payments.services.charges import expiring
from payments.services.reconciliation import bank_list, set_aside, unfinished


def run(now: datetime | None = None) -> None:
    """Do all of it, in an order in which no paid charge expires: the bank's list is read before charges expire.

    Raises BankError where the bank does not answer.
    """
    debts.collect()
    unfinished.finish_charges(now)
    own_keys.finish_removals(now)
    bank_list.read_received(now)
    set_aside.retry(now)
    while expiring.expire_due(now) == expiring.EXPIRE_BATCH:
        pass
