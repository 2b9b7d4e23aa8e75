"""Change the end of a charge, or delete it: at the bank first, then here.

The charge's row is locked meanwhile, so that changes reach the bank and our row in the same order. A Pix does not wait for
that lock (`receiving`): whether one came first is read in the transaction that writes the change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from payments import bank
from payments.bank import pace
from payments.bank.port import BankCharge, BankError, BankNotFound, BankRefused
from payments.models import Charge
from payments.pix.business_days import local_day
from payments.services.charges import creating, due_dates
from payments.services.errors import Invalid, NotFound, Unavailable
from woovi import outbox
from woovi.locks import LockLost, LockNotAvailable, SplitLock, StaleFence

REMOVED = "REMOVIDA_PELO_USUARIO_RECEBEDOR"


def reschedule(charge: Charge, expires_at: datetime, now: datetime | None = None) -> Charge:
    """Let an active charge end at `expires_at`. The same again changes nothing. Returns the charge as it is then.

    Where the bank's answer is lost, the bank may have the new end and we the old one; the same request mends that.

    Raises:
        Invalid: the charge is paid, over or deleted, or `expires_at` is too near or too far.
        Unavailable: the bank did not answer, or another change of the charge is under way. Send the same again.
    """
    now = now or timezone.now()
    if not charge.is_overdue:
        creating.check_seconds(int((expires_at - now).total_seconds()), "expiresDate")
    with _locked(charge) as lock:
        found: Charge = lock.rows.row
        if found.status != Charge.Status.ACTIVE or now > found.expires_at:
            raise Invalid("The charge is not active")
        ends = _due_end(found, expires_at) if found.is_overdue else _end(found, expires_at)
        with lock.write() as rows:
            changed: Charge = rows.row
            if changed.status != Charge.Status.ACTIVE:  # a Pix was faster
                raise Invalid("The charge is not active")
            for name, value in ends.items():
                setattr(changed, name, value)
            _save(changed, list(ends), now)
    return changed


def _end(charge: Charge, expires_at: datetime) -> dict[str, Any]:
    """Move the end at the bank. Returns the columns to write."""
    began = charge.expires_at - timedelta(seconds=charge.expires_in)  # the bank counts from there
    seconds = math.ceil((expires_at - began).total_seconds())
    _ask(charge, lambda: bank.current().revise_charge(charge.txid, seconds))
    return {"expires_in": seconds, "expires_at": began + timedelta(seconds=seconds)}


def _due_end(charge: Charge, expires_at: datetime) -> dict[str, Any]:
    """The same of a charge with a due date: it may then be paid until the end of that day, or of the next business day."""
    due = charge.due
    valid_for = (local_day(expires_at) - due.due_day).days
    if not 0 <= valid_for <= due_dates.MAX_DAYS:
        raise Invalid(f"expiresDate must be from the due date to {due_dates.MAX_DAYS} days after it", "expiresDate")
    _ask(charge, lambda: bank.current().revise_due_charge(charge.txid, due.due, valid_for))
    ends_at = due_dates.ends_at(replace(due, valid_for=valid_for))
    seconds = math.ceil((ends_at - charge.created_at).total_seconds())
    return {"valid_for": valid_for, "expires_in": seconds, "expires_at": ends_at}


def delete(charge: Charge, now: datetime | None = None) -> Charge:
    """Delete a charge that is not paid. Nobody sees it any more, and a Pix that still comes for it is sent back as late.

    Its correlationID stays used. Deleting it again changes nothing.

    Raises: as `reschedule`.
    """
    now = now or timezone.now()
    with _locked(charge) as lock:
        found: Charge = lock.rows.row
        if found.deleted_at:
            return found
        _ask_to_remove(found)
        with lock.write() as rows:
            gone: Charge = rows.row
            if gone.status == Charge.Status.COMPLETED:
                raise Invalid("The charge is paid")
            gone.status, gone.deleted_at = Charge.Status.EXPIRED, now
            _save(gone, ["status", "deleted_at"], now)
    return gone


def _ask_to_remove(charge: Charge) -> None:
    """Remove the charge at the bank. A bank that does not have it, or not any more, has nothing to remove."""
    if charge.status == Charge.Status.COMPLETED:
        raise Invalid("The charge is paid")
    try:
        _ask(charge, lambda: bank.current().remove_charge(charge.txid, overdue=charge.is_overdue))
    except NotFound:
        return
    except Invalid:
        if _ask(charge, lambda: bank.current().read_charge(charge.txid, overdue=charge.is_overdue)).status != REMOVED:
            raise


def _ask(charge: Charge, call: Callable[[], BankCharge]) -> BankCharge:
    try:
        with pace.acting_for(charge.company_id):
            return call()
    except BankNotFound as error:
        raise NotFound("The bank does not have this charge") from error
    except BankRefused as error:
        raise Invalid("The charge is not active") from error
    except BankError as error:
        raise Unavailable("The bank did not answer. Send the same request again") from error


@contextmanager
def _locked(charge: Charge) -> Iterator[SplitLock]:
    try:
        with Charge.objects.lock_rows(pk=charge.pk) as lock:
            yield lock
    except (LockNotAvailable, LockLost, StaleFence) as error:
        raise Unavailable("Another change of this charge is under way. Send the same request again") from error


def _save(charge: Charge, fields: list[str], now: datetime) -> None:
    """Save these fields, in the transaction that holds the row, with a hint that refreshes the company's pages."""
    charge.updated_at = now
    charge.save(update_fields=[*fields, "updated_at"])
    outbox.write("charge.changed", str(charge.company_id), {"charge_id": charge.public_id})
