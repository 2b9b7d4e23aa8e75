"""Withdraw from a sub-account: a payment to its Pix key, out of its money."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from payments.models import Account, Company, Payment, Subaccount, User
from payments.services import ledger, payments
from payments.services.errors import Duplicate, Invalid, Unavailable
from payments.services.payments import PaymentOrder
from payments.services.subaccounts.moving import EMPTY, NOT_POSITIVE, TOO_LOW
from payments.services.subaccounts.opening import BUSY, find, refuse_closed
from woovi.locks import LockNotAvailable, StaleFence

BLOCKED = "Withdraw blocked: the pix key of this subaccount is invalid or restricted"


def withdraw(
    company: Company,
    pix_key: str,
    value: int | None = None,
    correlation_id: str = "",
    now: datetime | None = None,
) -> Payment:
    """Pay `value` centavos (default: all there is) to the sub-account's key. It is approved at once, and a worker sends it.

    Where the bank refuses because nobody has the key, or its account is suspected of fraud, the money is back and later
    withdrawals are refused (`payments.outcomes`). The same correlationID gives the first withdrawal again.

    Raises:
        NotFound: the company has no such sub-account.
        Invalid: withdrawals are blocked, or the value is not positive or more than there is.
        Duplicate: the correlationID was used for another payment.
        Unavailable: another request has the sub-account's lock. The same request may be sent again.
    """
    now = now or timezone.now()
    try:
        with Subaccount.objects.lock_for_update(pk=find(company, pix_key).pk) as rows:
            subaccount: Subaccount = rows.row
            refuse_closed([subaccount])
            if first := _first(subaccount, value, correlation_id):
                return first
            return _withdraw(company, subaccount, value, correlation_id or str(uuid.uuid4()), now)
    except ledger.InsufficientFunds as error:
        raise Invalid(TOO_LOW, "value") from error
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable(BUSY) from error


def check_withdrawal(subaccount: Subaccount, value: int) -> None:
    """Raise Invalid where `value` centavos cannot be withdrawn now."""
    if subaccount.withdraw_blocked:
        raise Invalid(BLOCKED, "pixKey")
    if value <= 0:
        raise Invalid(NOT_POSITIVE, "value")
    if value > subaccount.account.available:
        raise Invalid(TOO_LOW, "value")


def ask_withdrawal(
    subaccount: Subaccount, value: int, correlation_id: str, maker: User, owner: dict[str, str], end_to_end_id: str
) -> Payment:
    """A withdrawal that a person asks for: a payment out of the sub-account, which another person approves.

    Args:
        owner, end_to_end_id: of the key, as they were shown.

    Raises as `payments.create`, and as `check_withdrawal`.
    """
    check_withdrawal(subaccount, value)
    order = _order(subaccount, value, correlation_id)
    order = replace(order, owner=owner, end_to_end_id=end_to_end_id)
    return payments.create(subaccount.company, order, maker=maker)


def _first(subaccount: Subaccount, value: int | None, correlation_id: str) -> Payment | None:
    """The withdrawal that has this correlationID. Raises Duplicate where it is another payment."""
    if not correlation_id:
        return None
    first = Payment.objects.filter(company=subaccount.company_id, batch=None, correlation_id=correlation_id).first()
    asked_by_a_person = first and first.approved_at is None  # it may never be approved
    if first and (asked_by_a_person or first.source_id != subaccount.account_id or value not in {None, first.value}):
        raise Duplicate("There is already another payment with this correlationID", "correlationID")
    return first


def _withdraw(
    company: Company, subaccount: Subaccount, value: int | None, correlation_id: str, now: datetime
) -> Payment:
    if subaccount.withdraw_blocked:
        raise Invalid(BLOCKED, "pixKey")
    available = Account.objects.get(pk=subaccount.account_id).available
    if not available:
        raise Invalid(EMPTY, "value")
    value = available if value is None else value
    if value <= 0:
        raise Invalid(NOT_POSITIVE, "value")
    return payments.approve_new(payments.write(company, _order(subaccount, value, correlation_id), now), now)


def _order(subaccount: Subaccount, value: int, correlation_id: str) -> PaymentOrder:
    return PaymentOrder(
        correlation_id,
        value,
        pix_key=subaccount.pix_key,
        comment=f"Saque da subconta {subaccount.name}"[:140],
        source_id=subaccount.account_id,
    )
