"""Open, find and close a company's sub-accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from payments.models import Account, Company, Subaccount
from payments.services import companies, pix_keys
from payments.services.errors import Invalid, NotFound, Unavailable
from woovi.locks import LockNotAvailable, StaleFence


def open_(company: Company, pix_key: str, name: str) -> Subaccount:
    """Get or create the sub-account of this Pix key. The DICT is asked about a key that is new to the company.

    Raises:
        Invalid: it is the company's own key.
        KeyNotFound, KeyRefused: nobody has the key, or it is not one.
        TooMany, Unavailable: the DICT cannot be asked now.
        RuntimeError: a database transaction is open.
    """
    key = companies.dict_key(pix_key)
    if found := _of(company, key):
        return found
    if companies.has_key(company, key):
        raise Invalid("pixKey is the key of the account itself", "pixKey")
    key = pix_keys.look_up(company, pix_key).pix_key
    try:
        with transaction.atomic():
            account = Account.objects.create(
                company=company, kind=Account.Kind.SUBACCOUNT, is_default=False, name=name[:100]
            )
            return Subaccount.objects.create(company=company, pix_key=key, name=name, account=account)
    except IntegrityError:  # another request was first, or it was closed and is opened again
        closed = Subaccount.objects.filter(company=company, pix_key=key, closed_at__isnull=False)
        closed.update(closed_at=None, name=name, withdraw_blocked=False)
        return find(company, key)


def find(company: Company, pix_key: str) -> Subaccount:
    """The company's open sub-account of this Pix key. Raises NotFound."""
    if found := _of(company, companies.dict_key(pix_key)):
        return found
    raise NotFound(f"Subaccount not found: {pix_key}", "pixKey")


def _of(company: Company, key: str) -> Subaccount | None:
    if "\0" in key:
        return None
    found = company.subaccounts.filter(pix_key=key, closed_at=None)
    return found.select_related("account").first()


def close(company: Company, pix_key: str, now: datetime | None = None) -> Subaccount:
    """Close the sub-account. Raises NotFound; Invalid while it has money; Unavailable while others are at it."""
    try:
        with Subaccount.objects.lock_for_update(pk=find(company, pix_key).pk) as rows:
            row: Subaccount = rows.row
            refuse_closed([row])
            if Account.objects.get(pk=row.account_id).posted:
                raise Invalid("Only subaccount without balance can be removed", "pixKey")
            row.closed_at = now or timezone.now()
            row.save(update_fields=["closed_at"])
            return row
    except (LockNotAvailable, StaleFence) as error:
        raise Unavailable(BUSY) from error


def unblock(subaccount: Subaccount) -> None:
    """Let it be withdrawn again, after its key was found to be right."""
    Subaccount.objects.filter(pk=subaccount.pk).update(withdraw_blocked=False)


BUSY = "Somebody else is at this subaccount. Send the same request again"


def refuse_closed(rows: Iterable[Subaccount]) -> None:
    """Raise NotFound where one of the locked rows was closed meanwhile."""
    for row in rows:
        if row.closed_at:
            raise NotFound(f"Subaccount not found: {row.pix_key}", "pixKey")
