"""Credit or debit a merchant's balance by hand, when the books are right and the merchant is to have more or less.

The other side is the company's ADJUSTMENT account: what the platform gave (negative) or took back. The bank's money does not
move, so CLEARING stays as it is; what the bank has and we have not is read again or resolved instead.
"""

from __future__ import annotations

from django.db import transaction

from payments.models import Account, MovementNote
from payments.services import debts, ledger
from payments.services.errors import Invalid
from payments.services.ledger import Event, Line, Posting

KIND = "adjustment"  # of the ledger's transaction


def adjust(account: Account, value: int, correlation_id: str, note: str = "") -> tuple[int, int]:
    """Move `value` centavos, negative for a debit, onto a merchant's balance, once for each correlation id.

    Args:
        note: what the merchant's statement says, up to 140 characters. Empty: that it is an adjustment.

    Returns what was available before and after, in centavos. A repetition gets the balance of now twice.

    Raises Invalid: the account is not a merchant's, or has less available than is to be taken.
    """
    check(account)
    other = opened(account.company_id)
    posting = Posting(
        account.company_id,
        KIND,
        correlation_id,
        (Line(account.pk, value), Line(other, -value)),
        events=(Event("balance.adjusted", {"value": value}),),  # refreshes the company's pages
    )
    try:
        with transaction.atomic():
            before = debts.locked([account.pk, other])[account.pk].available
            (posted,) = ledger.post(posting)
            if posted.replayed:
                return before, before
            if note:
                MovementNote.objects.create(transaction_id=posted.transaction_id, text=note[:140])
            return before, before + value
    except ledger.InsufficientFunds as error:
        raise Invalid("value is more than the balance has available", "value") from error


def check(account: Account) -> None:
    """Raise Invalid where the account is not a company's balance."""
    if account.kind != Account.Kind.MERCHANT or not account.is_default:
        raise Invalid("Only a merchant's own balance is adjusted")


def opened(company_id: int) -> int:
    """The id of the company's ADJUSTMENT account, which is opened with its first adjustment."""
    return Account.objects.get_or_create(
        company_id=company_id, kind=Account.Kind.ADJUSTMENT, is_default=True, defaults={"may_go_negative": True}
    )[0].pk
