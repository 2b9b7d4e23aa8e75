"""Move money between the company's account and its sub-accounts. No bank is asked: it stays where it is.

Each movement is one posting. A correlationID makes it idempotent: the same again is the same movement, another one under it
is refused. Without one, as Woovi's API has it for credit and debit, every request is a movement of its own.
"""

from __future__ import annotations

import uuid

from payments.models import Account, Company, MovementNote, Subaccount
from payments.services import ledger
from payments.services.errors import Duplicate, Invalid, Unavailable
from payments.services.ledger import Event, Line, Posting
from payments.services.subaccounts.opening import BUSY, find, refuse_closed
from woovi.locks import LockNotAvailable, StaleFence

# Woovi's words.
NOT_POSITIVE = "Value must be positive"
TOO_LOW = "Account does not have enough balance to complete the operation"
EMPTY = "Transfer just work with subaccount with balance"
MAIN_TOO_LOW = "Not enough balance"


def credit(company: Company, pix_key: str, value: int, note: str = "", correlation_id: str = "") -> Subaccount:
    """Set `value` centavos of the company's account aside for the sub-account. Returns it. Raises as `_move`."""
    subaccount = find(company, pix_key)
    moved = (_main(company), subaccount.account_id, value)
    _move([subaccount], "subaccount_credit", moved, MAIN_TOO_LOW, correlation_id, note)
    return find(company, pix_key)


def debit(company: Company, pix_key: str, value: int, note: str = "", correlation_id: str = "") -> Subaccount:
    """Give `value` centavos of the sub-account back to the company's account. Returns it. Raises as `_move`."""
    subaccount = find(company, pix_key)
    moved = (subaccount.account_id, _main(company), value)
    words = TOO_LOW if subaccount.account.available else EMPTY
    _move([subaccount], "subaccount_debit", moved, words, correlation_id, note)
    return find(company, pix_key)


def transfer(
    company: Company, from_key: str, to_key: str, value: int, correlation_id: str = "", note: str = ""
) -> tuple[Subaccount, Subaccount]:
    """Move `value` centavos from one sub-account to another. Returns both. Raises as `_move`."""
    origin, destination = find(company, from_key), find(company, to_key)
    if origin.pk == destination.pk:
        raise Invalid("toPixKey must be another subaccount's", "toPixKey")
    moved = (origin.account_id, destination.account_id, value)
    words = TOO_LOW if origin.account.available else EMPTY
    _move([origin, destination], "subaccount_transfer", moved, words, correlation_id, note)
    return find(company, from_key), find(company, to_key)


def _main(company: Company) -> int:
    return ledger.accounts(company.pk)[Account.Kind.MERCHANT]


def _move(
    subaccounts: list[Subaccount],
    kind: str,
    moved: tuple[int, int, int],
    too_low: str,
    correlation_id: str,
    note: str = "",
) -> None:
    """Post the movement, once.

    Args:
        subaccounts: those that are part of it, of one company.
        moved: from which account, to which, how many centavos.
        too_low: what is said where the first has less.

    Raises:
        NotFound: a sub-account was closed.
        Invalid: the value is not positive, or more than there is.
        Duplicate: the correlationID was used for another movement.
        Unavailable: others have the sub-account's lock. The same request may be sent again.
    """
    source, target, value = moved
    if value <= 0:
        raise Invalid(NOT_POSITIVE, "value")
    posting = Posting(
        subaccounts[0].company_id,
        kind,
        correlation_id or str(uuid.uuid4()),
        (Line(source, -value), Line(target, value)),
        events=(Event("subaccount.moved", {"value": value}),),  # refreshes the company's pages
    )
    wanted = [each.pk for each in subaccounts]
    try:
        with Subaccount.objects.lock_for_update(pk__in=wanted) as rows:
            refuse_closed([rows[pk] for pk in wanted])
            (posted,) = ledger.post(posting)
            if note and not posted.replayed:
                MovementNote.objects.create(transaction_id=posted.transaction_id, text=note)
    except ledger.InsufficientFunds as error:
        raise Invalid(too_low, "value") from error
    except ledger.IdempotencyConflict as error:
        raise Duplicate("There is already another movement with this correlationID", "correlationID") from error
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable(BUSY) from error
