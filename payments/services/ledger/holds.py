"""Two-phase postings: reserve money with a hold, then post all or part of the hold, or void it."""

from __future__ import annotations

from payments.models import Entry
from payments.services.ledger.postings import Event, HoldResolved, LedgerError, Line, Posting


def hold(
    company_id: int, correlation_id: str, kind: str, account_id: int, value: int, events: tuple[Event, ...] = ()
) -> Posting:
    """A posting that reserves `value` centavos of an account until `post_hold` or `void_hold`."""
    return Posting(company_id, kind, correlation_id, (Line(account_id, pending=_positive(value)),), events=events)


def post_hold(
    hold_id: int, correlation_id: str, kind: str, value: int, to_account_id: int, events: tuple[Event, ...] = ()
) -> Posting:
    """A posting that moves `value` centavos of a hold to an account and releases the rest."""
    company_id, account_id, reserved = _held(hold_id)
    if _positive(value) > reserved:
        raise HoldResolved(f"hold {hold_id} reserves {reserved} centavos, not {value}", "value")
    lines = (Line(account_id, -value, -reserved), Line(to_account_id, value))
    return Posting(company_id, kind, correlation_id, lines, hold_id, events)


def void_hold(hold_id: int, correlation_id: str, kind: str, events: tuple[Event, ...] = ()) -> Posting:
    """A posting that releases the whole hold."""
    company_id, account_id, reserved = _held(hold_id)
    return Posting(company_id, kind, correlation_id, (Line(account_id, pending=-reserved),), hold_id, events)


def _held(hold_id: int) -> tuple[int, int, int]:
    """The company's id, the account's id and the centavos of a hold. Raises LedgerError where there is no such hold."""
    entry = Entry.objects.filter(transaction_id=hold_id, pending__gt=0).values_list(
        "transaction__company_id", "account_id", "pending"
    )
    try:
        return entry.get()
    except Entry.DoesNotExist:
        raise LedgerError(f"transaction {hold_id} is no hold") from None


def _positive(value: int) -> int:
    if type(value) is not int or value <= 0:
        raise LedgerError(f"value must be a positive whole number of centavos, not {value!r}", "value")
    return value
